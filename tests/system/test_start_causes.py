"""Each system call of the store's start fails, for each reason that is not caused by the inbox: the error
names the true reason, and never advises to remove anything that contains files."""
import errno
import os
import re
import resource
import sys
import unittest

import node as harness

sys.path.insert(0, os.path.join(os.path.dirname(harness.HERE), "faults"))
import layer  # noqa: E402

# The reason, in the words of strerror or of our own errors, and the advice.
CAUSES = {
    errno.EMFILE: ("too many open files", "ulimit -n"),
    errno.ENFILE: ("too many open files", "limit|fs.file-max"),
    errno.ENOMEM: ("cannot allocate memory|out of memory", "memory"),
    errno.ENOSPC: ("no space left", "free space"),
    errno.EDQUOT: ("quota", "free space"),
    errno.EROFS: ("read-only", "for writing|another"),
    errno.EIO: ("input/output error", "disk"),
    errno.EINTR: ("interrupted", "try again"),
    errno.EACCES: ("permission denied", "this user"),
}
NEVER = re.compile(r"\b(remove|delete|rm|move \.dustwire)\b")


class Start(harness.SystemTest):
    def log_of_failed_start(self, node, process):
        """The log of a daemon that has ended; None if it continues, whether or not it can serve commands."""
        try:
            harness.wait_until(lambda: process.poll() is not None or "TRANSPORTS?" in node.log(), node.log)
            if process.poll() is None:
                return None
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.assertGreater(process.returncode, 0, node.log())
        return node.log()

    def spawn(self, node, **more):
        open(node.log_path, "w").close()
        return node.spawn(**more).process

    def prepared(self):
        """A stopped node with a file in its inbox."""
        node = self.node("bob")
        other = self.node("eve")
        path = harness.make_file(os.path.join(self.folder(), "f"), 3000)
        self.assert_sent(other.send([path], node.contact), 1)
        node._end_events()
        self.assertEqual(node.stop(), 0)
        return node

    def assert_error(self, what, text, cause, advice):
        lines = [line for line in text.splitlines() if re.search("error .* inbox ", line)]
        self.assertTrue(lines, "%s: %s" % (what, text))
        self.assertRegex(lines[-1].lower(), cause, what)
        self.assertRegex(lines[-1].lower(), advice, what)
        self.assertIsNone(NEVER.search(lines[-1]), "%s: %s" % (what, lines[-1]))

    @harness.not_under("valgrind", "valgrind needs additional descriptors")
    def test_with_too_few_descriptors(self):
        node = self.prepared()
        seen = 0
        for limit in range(6, 40):
            process = self.spawn(node, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (limit, limit)))
            text = self.log_of_failed_start(node, process)
            if text is None:
                break
            if re.search("error .* inbox ", text):
                seen += 1
                self.assert_error("%d descriptors" % limit, text, "too many open files", "ulimit -n")
            self.assertIn("too many open files", text.lower(), "%d descriptors" % limit)
        self.assertGreaterEqual(seen, 4)

    @unittest.skipUnless(os.path.exists(layer.LIBRARY), "the fault layer is not built here")
    def test_each_call_fails_with_each_reason(self):
        node = self.prepared()
        faults = layer.Layer(node.folder)
        environment = dict(os.environ, **faults.environment)
        failed_starts = 0
        for call in ("openat", "mkdirat", "fsync", "renameat2", "fdatasync", "ftruncate"):
            reasons = [n for n in CAUSES if call in ("openat", "mkdirat") or n in (
                errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)]
            faults.count(call, under=node.inbox)
            self.log_of_failed_start(node, self.spawn(node, env=environment))
            for at in range(min(faults.seen, 14)):
                error = reasons[at % len(reasons)]
                faults.arm(call, at=at, error=error, under=node.inbox)
                text = self.log_of_failed_start(node, self.spawn(node, env=environment))
                if text is not None:
                    failed_starts += 1
                    self.assert_error("%s %d: %s" % (call, at, errno.errorcode[error]), text,
                                     *CAUSES[error])
        self.assertGreaterEqual(failed_starts, 10)


if __name__ == "__main__":
    harness.main()
