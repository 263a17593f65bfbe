"""A process with many concurrent peers: flood.py half-open|drip PORT COUNT. Prints `ready` on stdout
when all are connected; exits when its stdin is closed. The peers' addresses in 127.0.0.0/8 are in
different networks, so that per-source limits do not stop them."""
import os
import resource
import select
import socket
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import raw  # noqa: E402 (the path above)


def source(i):
    return "127.%d.%d.%d" % (1 + i // 60000, 1 + i // 250 % 240, 1 + i % 250)


def connect(port, i):
    one = socket.socket()
    one.bind((source(i), 0))
    one.connect(("127.0.0.1", port))
    return one


def main(kind, port, count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    peers = []
    for i in range(count):
        peers.append(connect(port, i))
        if kind == "drip":
            peers[-1].sendall(raw.hello(":7771", "http://127.0.0.1/%d.xml" % i) +
                              raw.data(1, 100000)[:-8][:6] + b"\x01\0\0\0\xa0\x86\x01\0")
        elif i % 2:
            peers[-1].sendall(raw.hello()[:7])
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 1.0)[0]:
        for peer in peers if kind == "drip" else ():
            try:
                peer.send(b"x")
            except OSError:
                pass  # disconnected, as expected


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
