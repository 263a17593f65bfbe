"""The adapter's settings, from the environment, and the INI file that it writes for the daemon.

DUSTWIRE_DAEMON    the program dustwired (default: the one in PATH)
DUSTWIRE_FOLDER    the adapter's directory, created with mode 0700 (default: ~/.dustwire)
DUSTWIRE_SETTINGS  an INI file with additional settings for the daemon; those that the adapter
                   itself sets are ignored
DUSTWIRE_PORT      the port until the gateway's connect names one (default: 7771)
"""
import configparser
import os
import shutil
import subprocess

DEFAULT_PORT = 7771
# sun_path has 108 bytes, including the NUL.
SOCKET_PATH_MAX = 107


class SettingsError(Exception):
    """A sentence that names the thing, the reason and what to do."""


class Settings:
    def __init__(self, folder, daemon=None, extra=None, port=DEFAULT_PORT):
        self.folder = os.path.abspath(folder)
        self.daemon = daemon or "dustwired"
        self.extra = extra
        self.port = port
        self.control_socket = self._file("control.sock")
        self.gateway_socket = self._file("gateway.sock")
        self.ini = self._file("dustwired.ini")
        self.log = self._file("dustwired.log")
        self.pid_file = self._file("dustwired.pid")
        self.inbox = self._file("inbox")

    @classmethod
    def from_environment(cls, environ=None):
        environ = os.environ if environ is None else environ
        port = environ.get("DUSTWIRE_PORT", str(DEFAULT_PORT))
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise SettingsError("invalid DUSTWIRE_PORT %r: expected a port from 1 to 65535" % port)
        return cls(environ.get("DUSTWIRE_FOLDER") or os.path.expanduser("~/.dustwire"),
                   environ.get("DUSTWIRE_DAEMON"), environ.get("DUSTWIRE_SETTINGS"), int(port))

    def _file(self, name):
        return os.path.join(self.folder, name)

    @property
    def gateway_url(self):
        return "unix:" + self.gateway_socket

    def program(self):
        """The path of dustwired."""
        path = shutil.which(self.daemon)
        if path is None:
            raise SettingsError("program %s not found: install dustwire, or set DUSTWIRE_DAEMON "
                                "to the path of dustwired" % self.daemon)
        return path

    def prepare(self):
        """Creates the directory and replaces the INI file atomically."""
        for path in (self.control_socket, self.gateway_socket):
            if len(os.fsencode(path)) > SOCKET_PATH_MAX:
                raise SettingsError("the path %s is too long for a socket: set DUSTWIRE_FOLDER to a "
                                    "shorter path" % path)
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            os.chmod(self.folder, 0o700)
            text, fresh = self.ini_text(), self.ini + ".new"
            # It may contain the operator's token.
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(fd, "w", encoding="utf-8", errors="surrogateescape") as out:
                out.write(text)
            os.replace(fresh, self.ini)
        except OSError as e:
            raise SettingsError("cannot use the directory %s: %s; set DUSTWIRE_FOLDER to one that "
                                "this user can write" % (self.folder, e.strerror)) from e

    def check(self):
        """Validates the INI file by dustwired --check-config. Blocks: for use before start."""
        result = subprocess.run([self.program(), "--config", self.ini, "--check-config"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, universal_newlines=True, errors="replace")
        if result.returncode != 0:
            raise SettingsError("the daemon rejects its settings (including those of "
                                "DUSTWIRE_SETTINGS):\n%s" % result.stderr.strip())

    def ini_text(self):
        sections = self._extra_sections()
        ours = {
            ("inbox", "path"): '"%s"' % self.inbox,
            ("control", "socket"): '"%s"' % self.control_socket,
            ("gateway", "url"): '"%s"' % self.gateway_url,
        }
        sections.setdefault("services/tcp-connections", {}).setdefault("tcp-port", str(self.port))
        # The daemon rotates it; its stdout and stderr are written there too.
        sections.setdefault("log", {}).setdefault("file", '"%s"' % self.log)
        for (section, key), value in ours.items():
            sections.setdefault(section, {})[key] = value
        lines = ["# Written by dustwire's adapter for BitDust at each start: changes are overwritten.",
                 "# Put your own settings into the file named by DUSTWIRE_SETTINGS."]
        for section, keys in sections.items():
            lines.append("\n[%s]" % section)
            lines.extend("%s = %s" % pair for pair in keys.items())
        return "\n".join(lines) + "\n"

    def _extra_sections(self):
        if not self.extra:
            return {}
        parser = configparser.ConfigParser(interpolation=None, default_section="\n")
        try:
            with open(self.extra, encoding="utf-8") as stream:
                parser.read_file(stream)
        except (OSError, UnicodeDecodeError, configparser.Error) as e:
            raise SettingsError("cannot read the settings %s (DUSTWIRE_SETTINGS): %s"
                                % (self.extra, e)) from e
        return {name.lower(): dict(parser[name]) for name in parser.sections()}
