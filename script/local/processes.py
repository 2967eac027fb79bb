"""The programs that we start: watched while they run, stopped with us, and found again when we could not stop them."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from local import stop
from local.console import relay, say
from local.places import ROOT
from local.problem import Problem

PATIENCE = 60  # seconds for a program to become ready
GRACE = 10  # seconds that a program has to end by itself


@dataclass(frozen=True)
class Account:
    """Whom a program runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Trace:
    """What it takes to find a process again after we were killed, and to be sure that it is the same one."""

    name: str
    pid: int
    started: str  # a process number is used again, but not with the same start
    signal: int

    def alive(self) -> bool:
        return bool(self.started) and started(self.pid) == self.started


@dataclass
class Child:
    trace: Trace
    popen: subprocess.Popen[bytes]
    reader: threading.Thread | None = None
    log: Path | None = None

    @property
    def foundation(self) -> bool:
        """The others need it to their last moment: the database and the broker, whose lines go to a file."""
        return self.log is not None


def started(pid: int) -> str:
    """When the process began, in its machine's own words; empty when there is no such process."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if Path("/proc/self").exists() else _started_by_ps(pid)
    except OSError:
        return ""
    return "" if after_name[0] == "Z" else after_name[19]


def _started_by_ps(pid: int) -> str:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@dataclass
class Children:
    """All programs of one run. Each leads a group of its own, so that a Ctrl-C reaches only us and we stop in order."""

    record: Path
    running: list[Child] = field(default_factory=list)

    def start(
        self,
        name: str,
        command: list[str],
        *,
        env: Mapping[str, str],
        log: Path | None = None,
        stop_by: int = signal.SIGTERM,
        account: Account | None = None,
    ) -> Child:
        """Starts a program that stays. Its lines go to the terminal with its name in front, or to `log`."""
        with contextlib.ExitStack() as files:
            output: int | IO[bytes] = files.enter_context(log.open("wb")) if log else subprocess.PIPE
            popen = self._popen(command, env, output, account)
        child = Child(Trace(name, popen.pid, started(popen.pid), stop_by), popen, log=log)
        self.running.append(child)
        self._write_down()
        if popen.stdout:
            child.reader = threading.Thread(target=_read, args=(name, popen.stdout), daemon=True)
            child.reader.start()
        return child

    def run(
        self,
        name: str,
        command: list[str],
        *,
        env: Mapping[str, str],
        account: Account | None = None,
        attached: bool = False,
        log: Path | None = None,
    ) -> int:
        """Runs a program to its end and returns its exit status.

        It writes to our own terminal, or to `log`; one that is `attached` may also read there and gets its Ctrl-C.
        """
        with contextlib.ExitStack() as files:
            output = files.enter_context(log.open("wb")) if log else None
            popen = self._popen(command, env, output, account, attached=attached)
        stop_by = signal.SIGINT if attached else signal.SIGTERM
        child = Child(Trace(name, popen.pid, started(popen.pid), stop_by), popen)
        self.running.append(child)
        self._write_down()
        while popen.poll() is None:
            stop.pause()
        self.running.remove(child)
        self._write_down()
        return popen.returncode

    @staticmethod
    def _popen(
        command: list[str],
        env: Mapping[str, str],
        output: int | IO[bytes] | None,
        account: Account | None,
        *,
        attached: bool = False,
    ) -> subprocess.Popen[bytes]:
        stop.check()
        try:
            return subprocess.Popen(
                command,
                cwd="/" if account else ROOT,  # another account may not be allowed to stand where we stand
                env=dict(env),
                stdin=None if attached else subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                start_new_session=not attached,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        except OSError as error:
            raise Problem(f"Cannot start {shlex.join(command)}: {error}") from None

    def check(self) -> None:
        """Raises Problem when a program that should stay has ended."""
        for child in self.running:
            if (status := child.popen.poll()) is not None:
                if child.reader:
                    child.reader.join(timeout=1)
                raise Problem(f"{child.trace.name} has ended by itself ({_in_words(status)}).{tail(child.log)}")

    def wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        """Returns when it is ready. Raises Problem when that takes too long or anything has ended."""
        until = time.monotonic() + PATIENCE
        while not ready():
            self.check()
            if time.monotonic() > until:
                raise Problem(f"{what} did not become ready within {PATIENCE} seconds.")
            stop.pause()

    def watch(self) -> NoReturn:
        """Returns never; raises Stop or Problem."""
        while True:
            stop.pause(0.2)
            self.check()

    def stop(self) -> None:
        """Stops everything, the foundations last; a signal that comes meanwhile changes nothing."""
        while self.running:
            now = [child for child in self.running if not child.foundation] or self.running[-1:]
            end([child.trace for child in now], reap=[child.popen for child in now])
            self.running = [child for child in self.running if child not in now]
            self._write_down()

    def stop_left_overs(self) -> None:
        """Ends what an earlier run left behind because it was killed, and nothing else."""
        try:
            traces = [Trace(**trace) for trace in json.loads(self.record.read_text())]
        except (OSError, ValueError, TypeError):
            return
        for trace in reversed(traces):
            if trace.alive():
                say(f"Stopping {trace.name} (process {trace.pid}), left over from a start that was killed.")
                end([trace])
        self.record.unlink()

    def strike_off(self, child: Child) -> None:
        """Waits for a program that was killed, and expects nothing more of it."""
        child.popen.wait()
        self.running.remove(child)
        self._write_down()

    def _write_down(self) -> None:
        if not self.running:
            self.record.unlink(missing_ok=True)
            return
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps([asdict(child.trace) for child in self.running]))
        draft.replace(self.record)


def _read(name: str, lines: IO[bytes]) -> None:
    for line in lines:
        relay(name, line.decode(errors="replace").rstrip())


def end(traces: list[Trace], reap: Sequence[subprocess.Popen[bytes]] = ()) -> None:
    """Asks each to stop, waits for them together, and kills what is left of their groups."""
    for trace in traces:
        if trace.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(trace.pid, trace.signal)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and any(trace.alive() for trace in traces):
        time.sleep(stop.STEP)
    for trace in traces:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(trace.pid, signal.SIGKILL)
    for popen in reap:
        popen.wait()


def _in_words(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def tail(log: Path | None) -> str:
    """The last words of a program that wrote to a file, to go behind a sentence."""
    if not log:
        return ""
    lines = log.read_text(errors="replace").splitlines()[-8:]
    return f" The end of {log}:\n" + "\n".join(f"    {line}" for line in lines)
