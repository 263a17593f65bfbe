"""`dustwire events`: filters, and a program that is run for each event (--exec)."""
import os

import node as harness

HOOK = """#!/bin/sh
# writes the argument and the environment into one file per event, which appears when it is complete
out="$1/$DUSTWIRE_NUMBER"
{ echo "$2"; echo "$DUSTWIRE_EVENT"; echo "$DUSTWIRE_STATUS"; echo "$DUSTWIRE_PATH"; echo "$DUSTWIRE_SIZE"; } >"$out.new"
mv "$out.new" "$out"
"""


class Events(harness.SystemTest):
    def setUp(self):
        self.files = self.folder()
        self.out = self.folder()
        self.a = self.node("alice")
        self.b = self.node("bob")

    def send(self, count):
        paths = [harness.make_file(os.path.join(self.files, "f%d" % i), 100 + i, seed=str(i))
                 for i in range(count)]
        self.assert_sent(self.a.send(paths, self.b.contact), count)
        return paths

    def hook(self, text=HOOK):
        path = os.path.join(self.files, "hook")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def test_a_program_runs_once_for_each_received_file(self):
        program = self.hook()
        paths = self.send(50)
        result = self.b.command("events", "--after", "0", "--on", "file-received", "--count", "50",
                                "--exec", program, self.out, "two words; $HOME")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.out, "")
        outputs = []
        for name in os.listdir(self.out):
            with open(os.path.join(self.out, name)) as file:
                outputs.append(file.read().splitlines())
        self.assertEqual(len(outputs), 50)
        self.assertEqual({line[0] for line in outputs}, {"two words; $HOME"})
        self.assertEqual({tuple(line[1:3]) for line in outputs}, {("file-received", "finished")})
        self.assertEqual(sorted(harness.sha256(line[3]) for line in outputs),
                         sorted(harness.sha256(path) for path in paths))
        self.assertEqual(sorted(int(line[4]) for line in outputs), [100 + i for i in range(50)])

    def test_a_reload_event_is_one_line(self):
        for value in ("7", "8", "9"):
            self.assertEqual(self.b.command("set", "priority", value).code, 0)
        result = self.b.command("events", "--after", "0", "--on", "settings-reloaded", "--count", "3")
        lines = result.out.splitlines()
        self.assertEqual(len(lines), 3, result)
        for line in lines:
            self.assertRegex(line, ' settings-reloaded .*error="changed: [^\n]*[^; ]"$')

    def test_a_status_is_a_filter_too(self):
        self.send(3)
        result = self.b.command("events", "--json", "--after", "0", "--on", "finished", "--count", "3")
        self.assertEqual(result.code, 0, result)
        self.assertEqual([row["event"] for row in result.json()], ["file-received"] * 3)

    def test_a_failed_program_is_reported_and_the_others_run(self):
        program = self.hook("#!/bin/sh\n[ $((DUSTWIRE_SIZE % 2)) = 0 ] || exit 7\n")
        self.send(6)
        result = self.b.command("events", "--after", "0", "--on", "file-received", "--count", "6",
                                "--jobs", "2", "--exec", program)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.err.count("failed with exit status 7"), 3, result)

    def test_a_missing_program_is_named(self):
        self.send(1)
        result = self.b.command("events", "--after", "0", "--on", "file-received", "--count", "1",
                                "--exec", "/nonexistent/program")
        self.assertIn("cannot start /nonexistent/program", result.err)

    def test_invalid_options_are_refused(self):
        self.assertEqual(self.b.command("events", "--exec").code, 2)
        self.assertEqual(self.b.command("events", "--jobs", "65").code, 2)
        self.assertEqual(self.b.command("status", "--exec", "true").code, 2)


if __name__ == "__main__":
    harness.main()
