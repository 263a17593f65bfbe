"""The life of the daemon under the adapter: started with a generated INI file when none is running,
watched, started again when it dies, ended at shutdown.

A daemon that answers on our socket already is used as it is. If it is the one that an earlier run
of ours started (its pid stands in the pid file), it is ours again and ends with us; any other one is the
operator's and is left alone at the end.
"""
import os
import signal

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger

from .settings import SettingsError

log = Logger()

LOOK_S = 0.05           # while it starts
WATCH_S = 0.5           # while it is up
START_LIMIT_S = 30
BACKOFF_FIRST_S, BACKOFF_LAST_S = 0.2, 30.0
STEADY_S = 60           # up for so long: the next restart begins with the first backoff
STOP_LIMIT_S = 30       # from SIGTERM to SIGKILL; above the daemon's own stop-timeout-s


class _Child(ProcessProtocol):
    def __init__(self, ended):
        self._ended = ended

    def processExited(self, reason):
        self._ended(reason.value)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _how_it_ended(value):
    if getattr(value, "signal", None) is not None:
        return "the daemon was ended by signal %d" % value.signal
    return "the daemon ended with status %s" % getattr(value, "exitCode", None)


class Daemon:
    """`up()` is called each time a daemon answers, `down(reason)` each time it is gone again."""

    def __init__(self, reactor, settings, control, up, down):
        self._reactor = reactor
        self._settings = settings
        self._control = control
        self._up, self._down = up, down
        self._child = None      # its process transport, when it is our child
        self.is_ours = False
        self.pid = None
        self._is_up = False
        self._is_stopping = False
        self._timer = None
        self._started_at = 0.0
        self._backoff = BACKOFF_FIRST_S
        self._stopped = None    # Deferred of stop()

    # ---- starting

    def start(self):
        """Raises SettingsError if there is nothing to start."""
        self._settings.prepare()
        self._settings.program()
        self._is_stopping = False
        self._find()

    def _later(self, seconds, what, *args):
        self._timer = self._reactor.callLater(seconds, what, *args)

    def _find(self):
        self._started_at = self._reactor.seconds()
        asked = self._control.ask("status")
        asked.addCallbacks(self._found, lambda failure: self._spawn())
        asked.addErrback(self._broken)

    def _found(self, status):
        if self._is_stopping:
            return
        self.pid = status["pid"]
        self.is_ours = self.pid == self._read_pid()
        log.info("using the dustwired that runs already, pid {pid}", pid=self.pid)
        self._came_up()

    def _spawn(self):
        if self._is_stopping:
            return
        try:
            self._settings.prepare()
            program = self._settings.program()
            # Non-blocking: a FIFO without a reader is an error, and nothing to wait for.
            out = os.open(self._settings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
                          | os.O_CLOEXEC, 0o600)
        except (SettingsError, OSError) as e:
            log.error("dustwired cannot be started: {error}", error=e)
            self._again()
            return
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._child = self._reactor.spawnProcess(
                _Child(self._child_ended), program,
                [os.path.basename(program), "--config", self._settings.ini],
                env=None, childFDs={0: null, 1: out, 2: out})
        finally:
            os.close(out)
            os.close(null)
        self.pid = self._child.pid
        self.is_ours = True
        self._write_pid()
        self._later(LOOK_S, self._look)

    def _look(self):
        self._reap()
        if self._child is None or self._is_up:
            return
        if self._reactor.seconds() - self._started_at > START_LIMIT_S:
            log.error("dustwired does not answer {s} s after its start: it is ended; see {path}",
                      s=START_LIMIT_S, path=self._settings.log)
            self._signal(signal.SIGKILL)
            return
        self._control.ask("status").addCallbacks(
            self._answered, lambda failure: self._later(LOOK_S, self._look))

    def _answered(self, status):
        if self._child is None or self._is_up:
            return
        if status["pid"] != self._child.pid:
            log.error("another dustwired, pid {pid}, answers on {path}", pid=status["pid"],
                      path=self._settings.control_socket)
            self._later(LOOK_S, self._look)
            return
        self._came_up()

    def _came_up(self):
        self._is_up = True
        self._watch()
        if not self._is_stopping:
            self._up()

    # ---- watching

    def _reap(self):
        """A child's end is signalled, unless the node keeps SIGCHLD to itself."""
        if self._child is not None:
            self._child.reapProcess()

    def _watch(self):
        self._reap()
        if self._is_up and not _is_alive(self.pid):
            self._gone("the daemon is gone")
        elif self._is_up:
            self._later(WATCH_S, self._watch)

    def _child_ended(self, value):
        self._child = None
        self._gone(_how_it_ended(value))

    def _gone(self, reason):
        was_up, self._is_up, self.pid = self._is_up, False, None
        self._cancel_timer()
        if self.is_ours:
            self._remove_pid()
        if self._stopped is not None:
            self._end_stop()
            return
        log.error("{reason}; see {path}", reason=reason, path=self._settings.log)
        if was_up:
            self._down(reason)
        if not self._is_stopping:
            self._again()

    def _again(self):
        if self._reactor.seconds() - self._started_at > STEADY_S:
            self._backoff = BACKOFF_FIRST_S
        self._later(self._backoff, self._find)
        self._backoff = min(self._backoff * 2, BACKOFF_LAST_S)

    def _broken(self, failure):
        log.failure("dustwired could not be started", failure)
        self._again()

    # ---- ending

    def stop(self):
        """Ends the daemon if it is ours; fires when it is gone."""
        self._is_stopping = True
        self._cancel_timer()
        if self.pid is None or not self.is_ours:
            self._is_up = False
            return succeed(None)
        is_first, done = self._stopped is None, Deferred()
        if is_first:
            self._stopped = Deferred()
        self._stopped.addCallback(done.callback)
        if is_first:
            self._signal(signal.SIGTERM)
            self._stop_limit = self._reactor.callLater(STOP_LIMIT_S, self._signal, signal.SIGKILL)
            self._wait_gone()
        return done

    def _wait_gone(self):
        self._reap()
        if self._stopped is None:
            return
        if _is_alive(self.pid):
            self._later(LOOK_S, self._wait_gone)
        else:
            self._gone("")

    def _end_stop(self):
        if self._stop_limit.active():
            self._stop_limit.cancel()
        self._cancel_timer()
        stopped, self._stopped = self._stopped, None
        stopped.callback(None)

    def _signal(self, number):
        try:
            os.kill(self.pid, number)
        except (ProcessLookupError, TypeError):  # TypeError: it is gone, there is no pid
            pass

    def _cancel_timer(self):
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # ---- the pid file

    def _read_pid(self):
        try:
            with open(self._settings.pid_file) as stream:
                return int(stream.read())
        except (OSError, ValueError):
            return None

    def _write_pid(self):
        with open(self._settings.pid_file, "w") as out:
            out.write("%d\n" % self.pid)

    def _remove_pid(self):
        try:
            os.unlink(self._settings.pid_file)
        except OSError:
            pass
