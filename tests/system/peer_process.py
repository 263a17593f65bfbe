"""Starts peer.py and controls it through its stdin and stdout."""
import json
import os
import subprocess
import threading
import time

import node as harness


class PeerProcess:
    def __init__(self, folder, idurl="http://127.0.0.1:8000/peer.xml"):
        self.seen, self._changed = [], threading.Condition()
        self._process = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(harness.HERE, "peer.py"), folder, idurl], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self.seen.append(json.loads(line))
                self._changed.notify_all()

    def do(self, what, **fields):
        fields["do"] = what
        self._process.stdin.write(json.dumps(fields) + "\n")
        self._process.stdin.flush()

    def all(self, event, **fields):
        with self._changed:
            return [e for e in self.seen if e["event"] == event
                    and all(e.get(key) == value for key, value in fields.items())]

    def wait(self, event, count=1, limit=20.0, **fields):
        deadline = time.monotonic() + harness.seconds(limit)
        while True:
            found = self.all(event, **fields)
            if len(found) >= count:
                return found
            with self._changed:
                left = deadline - time.monotonic()
                if left <= 0 or self._process.poll() is not None:
                    raise AssertionError("%d of %d %r %r from the peer; the last: %r" % (
                        len(found), count, event, fields, self.seen[-8:]))
                self._changed.wait(min(left, 0.2))

    def listen(self):
        self.do("listen")
        return self.wait("listening")[0]["port"]

    def connect(self, port, host="127.0.0.1"):
        """Connects and returns the number of the session."""
        before = len(self.all("opened", role="client"))
        self.do("connect", host=host, port=port)
        return self.wait("opened", before + 1, role="client")[-1]["session"]

    def end(self):
        """Ends the peer by closing its stdin; kills it if it does not end."""
        self._process.stdin.close()
        try:
            self._process.wait(harness.seconds(5))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._process.stdout.close()
