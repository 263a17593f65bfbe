"""BitDust's tcp transport on dustwire: the modules that take the place of BitDust's own.

settings       where things are, and the INI file for the daemon
daemon         starts, watches, restarts and ends dustwired
control        calls to the daemon: XML-RPC over its Unix socket
callbacks      calls from the daemon: XML-RPC on a Unix socket of ours
transfers      what is under way: sends that somebody waits for, files registered with the gateway
sessions       the sessions and streams that the daemon has, for listings
tcp_interface  GateInterface: what the gateway drives
tcp_node       the names that the rest of BitDust takes from its tcp_node
hook           puts the last two in the place of BitDust's modules

Nothing here imports the reactor when it is loaded: which reactor there is, is for BitDust to say.
"""

PROTO = "tcp"
