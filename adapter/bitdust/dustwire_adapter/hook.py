"""Puts the adapter in the place of BitDust's modules when they are imported, so that BitDust's tree
stays as it is.
"""
import importlib
import importlib.abc
import importlib.util
import sys

# The last components of a module's name, in whatever package: the module that takes its place. This
# is the one place that says what of BitDust is replaced.
REPLACED = {
    "transport.tcp.tcp_interface": "dustwire_adapter.tcp_interface",
    "transport.tcp.tcp_node": "dustwire_adapter.tcp_node",
}


class _Loader(importlib.abc.Loader):
    """Fills a module of the name that was asked for with the names of ours."""

    def __init__(self, ours):
        self._ours = ours

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        ours = importlib.import_module(self._ours)
        for name in ours.__all__:
            setattr(module, name, getattr(ours, name))
        module.__doc__ = ours.__doc__

        def missing(name):
            raise AttributeError("%s is dustwire's here and has no %r: it has %s"
                                 % (module.__name__, name, ", ".join(ours.__all__)))
        module.__getattr__ = missing


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, replaced=None):
        self._replaced = dict(REPLACED if replaced is None else replaced)

    def find_spec(self, fullname, path=None, target=None):
        for tail, ours in self._replaced.items():
            if fullname == tail or fullname.endswith("." + tail):
                return importlib.util.spec_from_loader(fullname, _Loader(ours),
                                                       origin="dustwire: " + ours)
        return None


def install(replaced=None):
    """Before BitDust is imported. Answers the finder, for `remove`."""
    finder = Finder(replaced)
    sys.meta_path.insert(0, finder)
    return finder


def remove(finder):
    sys.meta_path.remove(finder)
