"""Replaces BitDust's modules by the adapter's on import, without changes to BitDust's files.
"""
import importlib
import importlib.abc
import importlib.util
import sys

# The last components of a module's name, in any package, and the module that replaces it. This table
# is the complete list of what is replaced.
REPLACED = {
    "transport.tcp.tcp_interface": "dustwire_adapter.tcp_interface",
    "transport.tcp.tcp_node": "dustwire_adapter.tcp_node",
}


class _Loader(importlib.abc.Loader):
    """Fills a module of the requested name with the names of the replacement."""

    def __init__(self, replacement):
        self._replacement = replacement

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        replacement = importlib.import_module(self._replacement)
        for name in replacement.__all__:
            setattr(module, name, getattr(replacement, name))
        module.__doc__ = replacement.__doc__

        def missing(name):
            raise AttributeError("%s is replaced by dustwire and has no %r, only %s"
                                 % (module.__name__, name, ", ".join(replacement.__all__)))
        module.__getattr__ = missing


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, replaced=None):
        self._replaced = dict(REPLACED if replaced is None else replaced)

    def find_spec(self, fullname, path=None, target=None):
        for tail, replacement in self._replaced.items():
            if fullname == tail or fullname.endswith("." + tail):
                return importlib.util.spec_from_loader(fullname, _Loader(replacement),
                                                       origin="dustwire: " + replacement)
        return None


def install(replaced=None):
    """Call before BitDust is imported. Returns the finder, for `remove`."""
    finder = Finder(replaced)
    sys.meta_path.insert(0, finder)
    return finder


def remove(finder):
    sys.meta_path.remove(finder)
