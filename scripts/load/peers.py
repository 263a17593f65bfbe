"""The same files sent by other programs, if installed: rsync's daemon and nginx with PUT. Their work differs (rsync
computes checksums and sets times, PUT chooses no file name), so this is for orientation, not a ranking."""
import os
import shutil
import socket
import subprocess
import time

from tools import MIB, Figure, harness, say


def wait_for_port(port):
    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True
    harness.wait_until(answers, "port %d answers" % port, 10)


class Server:
    """A program that serves a folder, as a context manager."""

    def __init__(self, folder, text):
        self.folder, self.port = folder, harness.free_port()
        self.target = os.path.join(folder, "in")
        self.config = os.path.join(folder, "config")
        os.makedirs(self.target, mode=0o777)
        with open(self.config, "w") as out:
            out.write(text.format(port=self.port, target=self.target, folder=folder,
                                  user="user root;" if os.getuid() == 0 else ""))

    def __enter__(self):
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        stdin=subprocess.DEVNULL)
        wait_for_port(self.port)
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self):
        shutil.rmtree(self.target, ignore_errors=True)
        os.makedirs(self.target, mode=0o777)


class Rsync(Server):
    name = "rsync --whole-file, to rsyncd"
    program = "rsync"

    def __init__(self, folder):
        super().__init__(folder, "use chroot = false\nuid = {0}\ngid = {1}\n[in]\npath = {{target}}\n"
                         "read only = false\n".format(os.getuid(), os.getgid()))

    def command(self):
        return ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port=%d" % self.port,
                "--config=" + self.config]

    def send(self, paths):
        subprocess.run(["rsync", "--whole-file", "--files-from=-", os.path.dirname(paths[0]),
                        "rsync://127.0.0.1:%d/in/" % self.port], check=True, timeout=120,
                       input="\n".join(map(os.path.basename, paths)), text=True, stdout=subprocess.DEVNULL)


class Nginx(Server):
    name = "nginx, PUT, one connection"
    program = "nginx"

    def __init__(self, folder):
        super().__init__(folder, "{user}\nerror_log /dev/null;\npid {folder}/pid;\nworker_processes 2;\n"
                         "daemon off;\nevents {{}}\nhttp {{\n access_log off;\n client_max_body_size 0;\n"
                         " client_body_temp_path {folder}/temp;\n proxy_temp_path {folder}/t1;\n"
                         " fastcgi_temp_path {folder}/t2;\n uwsgi_temp_path {folder}/t3;\n"
                         " scgi_temp_path {folder}/t4;\n keepalive_requests 1000000;\n"
                         " server {{\n  listen 127.0.0.1:{port};\n  root {target};\n  dav_methods PUT;\n }}\n}}\n")

    def command(self):
        return ["nginx", "-c", self.config, "-p", self.folder, "-e", "/dev/null"]

    def send(self, paths):
        with socket.create_connection(("127.0.0.1", self.port)) as session:
            session.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for path in paths:
                with open(path, "rb") as source:
                    head = "PUT /%s HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % (
                        os.path.basename(path), os.path.getsize(path))
                    session.sendall(head.encode(), socket.MSG_MORE)
                    session.sendfile(source)
                answer = session.recv(65536)
                if b" 201 " not in answer[:20] and b" 204 " not in answer[:20]:
                    raise SystemExit("load.sh: nginx answered %r" % answer[:80])


class Ours:
    name = "dustwire, node to node"

    def __init__(self, bench):
        self.sender, self.node = bench.node("peer-from", 2), bench.node("peer-to", 2)

    def __enter__(self):
        self.sender.__enter__(), self.node.__enter__()
        return self

    def __exit__(self, *unused):
        self.sender.__exit__(), self.node.__exit__()

    def send(self, paths):
        """Many files are sent as one folder, as with rsync."""
        what = paths if len(paths) == 1 else ["--recursive", os.path.dirname(paths[0])]
        result = self.sender.command("send", *what, self.node.contact, limit=120)
        if result.code != 0:
            raise SystemExit("load.sh: sending failed: %s" % result)

    def clear(self):
        self.node.empty_inbox()


def make_files(folder, count, size):
    os.makedirs(folder)
    content = os.urandom(size)
    paths = [os.path.join(folder, "%06d" % i) for i in range(count)]
    for path in paths:
        with open(path, "wb") as out:
            out.write(content)
    return paths


def seconds_of(bench, server, paths, mib):
    bench.warm(mib)
    began = time.monotonic()
    server.send(paths)
    took = time.monotonic() - began
    server.clear()
    return took


def measure(bench, sizes):
    """[(name, MB/s of one large file, files/s of many small ones)]"""
    large = make_files(os.path.join(bench.folder, "large"), 1, sizes.bulk_mib * MIB)
    small = make_files(os.path.join(bench.folder, "small"), sizes.small // 4, 1024)
    found, servers = [], [Ours(bench)]
    for kind in (Rsync, Nginx):
        if shutil.which(kind.program) or os.path.exists("/usr/sbin/" + kind.program):
            servers.append(kind(os.path.join(bench.folder, kind.program)))
        else:
            say("%s is not installed: skipped" % kind.program)
    for server in servers:
        with server:
            bytes_per_s = Figure(sizes.bulk_mib * MIB / 1e6 / seconds_of(bench, server, large, 2 * sizes.bulk_mib)
                                 for _ in range(bench.rounds))
            files_per_s = Figure(len(small) / seconds_of(bench, server, small, sizes.small_mib) for _ in range(bench.rounds))
        found.append((server.name, bytes_per_s, files_per_s))
        say("%s: %s MB/s, %s files/s" % (server.name, bytes_per_s, files_per_s))
    return found
