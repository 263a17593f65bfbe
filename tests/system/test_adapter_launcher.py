"""The launcher: a package that looks like BitDust's from outside runs on the adapter, and its own
tcp modules are never loaded; the settings that the adapter writes; what it says when it cannot start."""
import ast
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import node  # noqa: E402
from adapter_support import ADAPTER  # noqa: E402

from dustwire_adapter.settings import Settings, SettingsError  # noqa: E402

LAUNCHER = os.path.join(ADAPTER, "dustwire-bitdust")
DAEMON = os.path.join(node.BUILD, "dustwired")
MUST_NOT = "raise SystemExit('the module that was to be replaced is loaded')\n"
NODE = """
import sys
from {package}transport.tcp import tcp_interface, tcp_node, other
from twisted.internet import reactor


class Gateway:
    def callRemote(self, method, *args):
        print(method, args[0], flush=True)
        if method == "receiving_started":
            print("port", tcp_node.get_internal_port(), tcp_node.my_host(True))
            print("arguments", sys.argv[1:], __name__, other.WORD)
            reactor.callLater(0, reactor.stop)
        return True


reactor.callLater({limit}, reactor.stop)
interface = tcp_interface.GateInterface()
interface.init(Gateway())
interface.connect(dict(idurl=b"http://127.0.0.1/a.xml", host=b"127.0.0.1:{port}", tcp_port={port}))
reactor.run()
try:
    tcp_node.connections_limit
except AttributeError as e:
    print(e)
"""


class Launcher(node.SystemTest):
    def tree(self, package, port):
        """A package tree with the modules that must not be loaded."""
        root = self.folder()
        tcp = os.path.join(root, package, "transport", "tcp")
        os.makedirs(tcp)
        for name in ("tcp_interface.py", "tcp_node.py"):
            self.write(os.path.join(tcp, name), MUST_NOT)
        self.write(os.path.join(tcp, "other.py"), "WORD = 'theirs'\n")
        for path in (tcp, os.path.dirname(tcp), os.path.join(root, package)):
            self.write(os.path.join(path, "__init__.py"), "")
        text = NODE.format(package=package + "." if package else "", port=port,
                           limit=node.seconds(20))
        self.write(os.path.join(root, "start.py"), text)
        self.write(os.path.join(root, package, "__main__.py"), text)
        return root

    @staticmethod
    def write(path, text):
        with open(path, "w") as out:
            out.write(text)

    def launch(self, *arguments, cwd="/", launcher=LAUNCHER, **environment):
        folder = os.path.join(self.folder(), "a")
        # With the node's own limit below the test's: a node that hangs still ends its daemon.
        return subprocess.run(
            [sys.executable, "-B", launcher, "--folder", folder, *arguments], cwd=cwd, text=True,
            env={"PATH": node.BUILD + ":" + os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=node.seconds(60))

    def assert_ran(self, result, port, name):
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("transport_initialized tcp\n", result.stdout)
        self.assertIn("receiving_started tcp\n", result.stdout)
        self.assertIn("port %d ('127.0.0.1', %d)\n" % (port, port), result.stdout)
        self.assertIn("arguments ['-x', 'y'] %s theirs\n" % name, result.stdout)
        self.assertIn("has no 'connections_limit'", result.stdout)

    def test_a_script_runs_on_the_adapter(self):
        port = node.free_port()
        root = self.tree("fakedust", port)
        self.assert_ran(self.launch(os.path.join(root, "start.py"), "-x", "y"), port, "__main__")

    def test_an_installed_launcher_finds_the_adapter(self):
        prefix, port = self.folder(), node.free_port()
        os.mkdir(os.path.join(prefix, "bin"))
        shutil.copy(LAUNCHER, os.path.join(prefix, "bin"))
        shutil.copytree(os.path.join(ADAPTER, "dustwire_adapter"),
                        os.path.join(prefix, "share", "dustwire", "bitdust", "dustwire_adapter"))
        root = self.tree("fakedust", port)
        self.assert_ran(self.launch(os.path.join(root, "start.py"), "-x", "y",
                                    launcher=os.path.join(prefix, "bin", "dustwire-bitdust")),
                        port, "__main__")

    def test_a_module_runs_on_the_adapter(self):
        port = node.free_port()
        root = self.tree("fakedust", port)
        self.assert_ran(self.launch("-m", "fakedust", "-x", "y", cwd=root), port, "__main__")

    def test_a_tree_without_a_package_of_its_own_runs_too(self):
        port = node.free_port()
        root = self.tree("", port)
        self.assert_ran(self.launch(os.path.join(root, "start.py"), "-x", "y"), port, "__main__")

    def test_without_the_launcher_the_planted_modules_are_loaded(self):
        root = self.tree("fakedust", 1)
        result = subprocess.run([sys.executable, "-B", os.path.join(root, "start.py")], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn("to be replaced is loaded", result.stderr)

    def test_a_missing_daemon_is_said_before_the_node_starts(self):
        root = self.tree("fakedust", 1)
        result = self.launch("--daemon", "/nowhere/dustwired", os.path.join(root, "start.py"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("program /nowhere/dustwired not found", result.stderr)
        self.assertNotIn("is loaded", result.stderr)

    def test_settings_that_the_daemon_refuses_are_said_before_the_node_starts(self):
        root = self.tree("fakedust", 1)
        own = os.path.join(self.folder(), "mine.ini")
        with open(own, "w") as out:
            out.write("[sessions]\nlimit = -5\n")
        result = self.launch("--settings", own, os.path.join(root, "start.py"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("limit = -5", result.stderr)
        self.assertNotIn("is loaded", result.stderr)

    def assert_usage(self, word, *wrong):
        result = self.launch(*wrong)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertIn(word, result.stderr)

    def test_a_missing_script_is_a_wrong_command_line(self):
        self.assert_usage("missing script")
        self.assert_usage("missing script", "-m")
        self.assert_usage("cannot read /nowhere/bitdust.py", "/nowhere/bitdust.py")
        self.assert_usage("can't find '__main__' module in '%s'" % ADAPTER, ADAPTER)
        for module in ("__main__", "nowhere", "nowhere.bitdust", "json", "json.nowhere", "sys"):
            self.assert_usage(module.split(".")[0], "-m", module)

    def test_an_unknown_option_is_no_script(self):
        for option in ("-x", "--nowhere=1", "-mjson"):
            self.assert_usage("unknown option %s" % option, option, "start.py")

    def test_a_module_that_bitdust_misses_is_told_by_bitdust(self):
        script = os.path.join(self.folder(), "start.py")
        self.write(script, "import nowhere\n")
        result = self.launch(script)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, "Traceback(.|\n)*start.py(.|\n)*No module named 'nowhere'")


class Modules(node.SystemTest):
    def test_they_are_python_3_8(self):
        modules = os.path.join(ADAPTER, "dustwire_adapter")
        paths = [LAUNCHER] + [os.path.join(modules, n) for n in sorted(os.listdir(modules))
                              if n.endswith(".py")]
        self.assertGreater(len(paths), 10)
        for path in paths:
            with open(path, encoding="utf-8") as stream:
                ast.parse(stream.read(), path, feature_version=(3, 8))


class OwnSettings(node.SystemTest):
    def test_the_operators_keys_go_in_and_the_adapters_own_prevail(self):
        folder = self.folder()
        extra = os.path.join(folder, "own.ini")
        with open(extra, "w") as out:
            out.write("[workers]\nthreads = 3\n[inbox]\npath = /elsewhere\ndurability = none\n")
        settings = Settings(os.path.join(folder, "a"), extra=extra, port=7999)
        settings.prepare()
        result = subprocess.run([os.path.join(node.BUILD, "dustwired"), "--config", settings.ini,
                                 "--check-config"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)
        with open(settings.ini) as stream:
            text = stream.read()
        self.assertIn("threads = 3\n", text)
        self.assertIn("durability = none\n", text)
        self.assertIn('path = "%s"\n' % settings.inbox, text)
        self.assertIn("tcp-port = 7999\n", text)

    def test_the_daemons_log_is_a_file_of_its_own_unless_the_operator_names_another(self):
        extra = os.path.join(self.folder(), "own.ini")
        for text, path in (("", None), ("[log]\nlevel = debug\n", None), ("[log]\nfile = /tmp/other.log\n",
                                                                       "/tmp/other.log")):
            with open(extra, "w") as out:
                out.write(text)
            settings = Settings(os.path.join(self.folder(), "a"), DAEMON, extra)
            settings.prepare()
            settings.check()
            with open(settings.ini) as stream:
                self.assertRegex(stream.read(), 'file = "?%s"?\n' % (path or settings.log))

    def test_a_log_that_is_a_folder_is_named_before_a_node_runs(self):
        settings = Settings(os.path.join(self.folder(), "a"), DAEMON)
        settings.prepare()
        os.mkdir(settings.log)
        with self.assertRaisesRegex(SettingsError, "is a directory"):
            settings.check()

    def test_a_folder_that_is_too_deep_for_a_socket_is_named(self):
        settings = Settings(os.path.join(self.folder(), "x" * 100))
        with self.assertRaisesRegex(SettingsError, "too long for a socket: set DUSTWIRE_FOLDER"):
            settings.prepare()


if __name__ == "__main__":
    node.main()
