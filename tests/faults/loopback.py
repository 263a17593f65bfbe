"""Brings up the loopback interface of a new network namespace, by ioctl: `ip` may not be installed."""
import fcntl
import socket
import struct

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
IFREQ = "16sH22x"  # struct ifreq with ifr_flags


def flags_by(any_socket):
    answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack(IFREQ, b"lo", 0))
    return struct.unpack(IFREQ, answer)[1]


def bring_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags = flags_by(any_socket)
        if not flags & IFF_UP:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack(IFREQ, b"lo", flags | IFF_UP))
