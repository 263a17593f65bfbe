"""Replaces BitDust's tcp_node: the names that the rest of BitDust uses from it.

They refer to the GateInterface that was initialised last. All other names of BitDust's tcp_node belong
to a transport that is not running; accessing one raises an AttributeError.
"""
from . import tcp_interface
from .settings import Settings

__all__ = ["my_host", "get_internal_port", "opened_connections", "started_connections"]


def my_host(normalize=False):
    """The external address: `H:P` as bytes, normalized (host, port). None if not set."""
    interface = tcp_interface.current()
    host = interface.host() if interface is not None else b""
    if not host:
        return None
    return tcp_interface.address_of(host) if normalize else host


def get_internal_port():
    """The listening port."""
    interface = tcp_interface.current()
    return interface.port() if interface is not None else Settings.from_environment().port


def opened_connections():
    """The open sessions, as sessions.Connection."""
    interface = tcp_interface.current()
    return interface.opened_connections() if interface is not None else []


def started_connections():
    """Sessions that are still connecting; they have a `connection_address`."""
    interface = tcp_interface.current()
    return interface.started_connections() if interface is not None else []
