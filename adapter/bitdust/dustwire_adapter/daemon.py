"""Manages the daemon for the adapter: starts it with a generated INI file if none is running, monitors
it, restarts it when it exits, and stops it at shutdown.

A daemon that already answers on the control socket is used. If it was started by an earlier run of
the adapter (its pid is in the pid file), the adapter owns it and stops it at shutdown; any other one
belongs to the operator and is left running.
"""
import os
import signal

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger

from .settings import SettingsError

log = Logger()

POLL_S = 0.05           # during start
WATCH_S = 0.5           # while running
START_LIMIT_S = 30
BACKOFF_FIRST_S, BACKOFF_LAST_S = 0.2, 30.0
BACKOFF_RESET_S = 60    # uptime after which the backoff starts over
STOP_LIMIT_S = 30       # from SIGTERM to SIGKILL; longer than the daemon's stop-timeout-s


class _Child(ProcessProtocol):
    def __init__(self, exited):
        self._exited = exited

    def processExited(self, reason):
        self._exited(reason.value)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _exit_reason(value):
    if getattr(value, "signal", None) is not None:
        return "the daemon was terminated by signal %d" % value.signal
    return "the daemon exited with status %s" % getattr(value, "exitCode", None)


class Daemon:
    """`up()` is called when a daemon starts to answer, `down(reason)` when it has exited."""

    def __init__(self, reactor, settings, control, up, down):
        self._reactor = reactor
        self._settings = settings
        self._control = control
        self._up, self._down = up, down
        self._child = None      # its process transport, if it is a child process
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
        """Raises SettingsError if the program or the directory is not usable."""
        self._settings.prepare()
        self._settings.program()
        self._is_stopping = False
        self._probe()

    def _later(self, seconds, what, *args):
        self._timer = self._reactor.callLater(seconds, what, *args)

    def _probe(self):
        self._started_at = self._reactor.seconds()
        call = self._control.call_parallel("status")
        call.addCallbacks(self._adopt, lambda failure: self._spawn())
        call.addErrback(self._start_failed)

    def _adopt(self, status):
        if self._is_stopping:
            return
        self.pid = status["pid"]
        self.is_ours = self.pid == self._read_pid()
        log.info("using the running dustwired, pid {pid}", pid=self.pid)
        self._mark_up()

    def _spawn(self):
        if self._is_stopping:
            return
        try:
            self._settings.prepare()
            program = self._settings.program()
            # Non-blocking: opening a FIFO without a reader fails instead of blocking.
            out = os.open(self._settings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
                          | os.O_CLOEXEC, 0o600)
        except (SettingsError, OSError) as e:
            log.error("cannot start dustwired: {error}", error=e)
            self._schedule_restart()
            return
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._child = self._reactor.spawnProcess(
                _Child(self._child_exited), program,
                [os.path.basename(program), "--config", self._settings.ini],
                env=None, childFDs={0: null, 1: out, 2: out})
        finally:
            os.close(out)
            os.close(null)
        self.pid = self._child.pid
        self.is_ours = True
        self._write_pid()
        self._later(POLL_S, self._poll_start)

    def _poll_start(self):
        self._reap()
        if self._child is None or self._is_up:
            return
        if self._reactor.seconds() - self._started_at > START_LIMIT_S:
            log.error("no response from dustwired within {s} s of its start: killing it; see {path}",
                      s=START_LIMIT_S, path=self._settings.log)
            self._signal(signal.SIGKILL)
            return
        self._control.call_parallel("status").addCallbacks(
            self._answered, lambda failure: self._later(POLL_S, self._poll_start))

    def _answered(self, status):
        if self._child is None or self._is_up:
            return
        if status["pid"] != self._child.pid:
            log.error("another dustwired, pid {pid}, answers on {path}", pid=status["pid"],
                      path=self._settings.control_socket)
            self._later(POLL_S, self._poll_start)
            return
        self._mark_up()

    def _mark_up(self):
        self._is_up = True
        self._watch()
        if not self._is_stopping:
            self._up()

    # ---- monitoring

    def _reap(self):
        """Reaps the child, in case the node handles SIGCHLD itself and Twisted is not notified."""
        if self._child is not None:
            self._child.reapProcess()

    def _watch(self):
        self._reap()
        if self._is_up and not _is_alive(self.pid):
            self._handle_exit("the daemon has exited")
        elif self._is_up:
            self._later(WATCH_S, self._watch)

    def _child_exited(self, value):
        self._child = None
        self._handle_exit(_exit_reason(value))

    def _handle_exit(self, reason):
        was_up, self._is_up, self.pid = self._is_up, False, None
        self._cancel_timer()
        if self.is_ours:
            self._remove_pid()
        if self._stopped is not None:
            self._finish_stop()
            return
        log.error("{reason}; see {path}", reason=reason, path=self._settings.log)
        if was_up:
            self._down(reason)
        if not self._is_stopping:
            self._schedule_restart()

    def _schedule_restart(self):
        if self._reactor.seconds() - self._started_at > BACKOFF_RESET_S:
            self._backoff = BACKOFF_FIRST_S
        self._later(self._backoff, self._probe)
        self._backoff = min(self._backoff * 2, BACKOFF_LAST_S)

    def _start_failed(self, failure):
        log.failure("cannot start dustwired", failure)
        self._schedule_restart()

    # ---- stopping

    def stop(self):
        """Stops the daemon if the adapter owns it; fires when it has exited."""
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
            self._wait_exit()
        return done

    def _wait_exit(self):
        self._reap()
        if self._stopped is None:
            return
        if _is_alive(self.pid):
            self._later(POLL_S, self._wait_exit)
        else:
            self._handle_exit("")

    def _finish_stop(self):
        if self._stop_limit.active():
            self._stop_limit.cancel()
        self._cancel_timer()
        stopped, self._stopped = self._stopped, None
        stopped.callback(None)

    def _signal(self, number):
        try:
            os.kill(self.pid, number)
        except (ProcessLookupError, TypeError):  # TypeError: it has exited, the pid is None
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
