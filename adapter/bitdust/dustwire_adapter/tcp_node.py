"""What takes the place of BitDust's tcp_node: the few names that the rest of BitDust takes from it.

They speak for the GateInterface that was initialised last. The others of BitDust's tcp_node belong to
a transport that does not run here, and asking for one says so.
"""
from . import tcp_interface
from .settings import Settings

__all__ = ["my_host", "get_internal_port", "opened_connections", "started_connections"]


def my_host(normalize=False):
    """Where others reach us: `H:P` as bytes, normalized (host, port). None if nobody has said."""
    interface = tcp_interface.current()
    host = interface.host() if interface is not None else b""
    if not host:
        return None
    return tcp_interface.address_of(host) if normalize else host


def get_internal_port():
    """The port that we listen on."""
    interface = tcp_interface.current()
    return interface.port() if interface is not None else Settings.from_environment().port


def opened_connections():
    """The sessions: sessions.Connection."""
    interface = tcp_interface.current()
    return interface.opened_connections() if interface is not None else []


def started_connections():
    """Those that are still connecting; they have a `connection_address`."""
    interface = tcp_interface.current()
    return interface.started_connections() if interface is not None else []
