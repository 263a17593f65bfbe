"""BitDust's tcp transport on dustwire: modules that replace BitDust's own.

settings       paths, and the INI file for the daemon
daemon         starts, monitors, restarts and stops dustwired
control        calls to the daemon: XML-RPC over its Unix socket
callbacks      calls from the daemon: XML-RPC on the adapter's own Unix socket
transfers      pending sends, and files registered with the gateway
reports        forwards the daemon's callbacks to the gateway
sessions       cache of the daemon's sessions and streams, for listings
tcp_interface  GateInterface, which the gateway calls
tcp_node       the names that the rest of BitDust uses from its tcp_node
hook           replaces BitDust's modules by the last two

No module imports the reactor at import time: BitDust chooses the reactor.
"""

PROTO = "tcp"
