"""Seeds for the fuzz targets, from the captures and the sample settings: seed.py FOLDER creates
FOLDER/<target>/<seed>. Further inputs found by fuzzing are in tests/fuzz/corpus."""
import os
import struct
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURES = os.path.join(os.path.dirname(HERE), "captures")
SETTINGS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "etc", "dustwired.ini")
MOST = 60000

CONTACTS = ("tcp://127.0.0.1:7771", "127.0.0.1:7771", "tcp://[::1]:1", "tcp://[fe80::1%lo]:65535", "a.example:80",
            "tcp://:7771", "udp://h:1", "tcp://h:0", "[::ffff:1.2.3.4]:9")
NETWORKS = ("127.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "192.0.2.7", "::/0", "2001:db8::/32", "fe80::1%lo/64",
            "::ffff:1.2.3.4/120", "http://a.example/x.xml, None\nhttp://a.example/x.xml")
VALUES = ("<string>x&amp;&#10;y</string>", "<int>-1</int>", "<i8>4294967296</i8>", "<boolean>1</boolean>", "plain",
          "<double>0.5</double>", "<base64>AQID</base64>", "<nil/>",
          "<array><data><value><int>1</int></value></data></array>",
          "<struct><member><name>a</name><value>b</value></member></struct>")


def frames(transcript):
    at = 0
    while at + 4 <= len(transcript):
        length, = struct.unpack(">I", transcript[at:at + 4])
        yield transcript[at + 4:at + 4 + length]
        at += 4 + length


def captures():
    for name in sorted(os.listdir(CAPTURES)):
        if name.endswith(".bin"):
            with open(os.path.join(CAPTURES, name), "rb") as stream:
                yield name, stream.read()


def record(*fields):
    line = "\t".join(map(str, fields)).encode()
    return line + b"\t%08x\n" % zlib.crc32(line)


def seeds():
    for name, content in captures():
        yield "frame", name, b"\x3f" + content[:MOST]
        yield "session", name, b"\x02" + content[:MOST]
        yield "session", name + "-out", b"\xff" + content[:MOST]
        for n, body in enumerate(frames(content)):
            if body[1:2] == b"h":
                yield "hello", "%s-%d" % (name, n), body[2:]
    yield "hello", "v6", b"[::1]:7_771 id"
    with open(SETTINGS, "rb") as stream:
        yield "settings", "sample", stream.read()
    for n, contact in enumerate(CONTACTS):
        yield "contact", str(n), contact.encode()
    for n, network in enumerate(NETWORKS):
        yield "network", str(n), network.encode()
    for n, value in enumerate(VALUES):
        params = "<params><param><value>%s</value></param></params>" % value
        yield "request", str(n), ('<?xml version="1.0"?><methodCall><methodName>send_file</methodName>%s'
                                  "</methodCall>" % params).encode()
        yield "answer", str(n), ('<?xml version="1.0"?><methodResponse>%s</methodResponse>' % params).encode()
    yield "answer", "fault", (
        b'<?xml version="1.0"?><methodResponse><fault><value><struct><member><name>faultCode</name><value>'
        b"<int>4</int></value></member><member><name>faultString</name><value><string>no</string></value>"
        b"</member></struct></value></fault></methodResponse>")


for target, name, content in seeds():
    folder = os.path.join(sys.argv[1], target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "seed-" + name), "wb") as out:
        out.write(content)
