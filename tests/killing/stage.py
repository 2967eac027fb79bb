"""A whole installation as real processes, each of which may be killed and comes back: script/server's own parts."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from local import environment, ports, postgres, programs
from local.places import PYTHON, ROOT, VAR, only_one
from local.processes import Child, Children, started
from local.server import answers
from local.valkey import Valkey

HOST = "127.0.0.1"
PATIENCE = 60  # seconds for a killed family to be gone


@dataclass
class Part:
    """One program: started again and again, its lines in a file for each life."""

    name: str
    start: Callable[[], Child]
    child: Child | None = None
    back_at: float = 0.0  # when the supervisor starts it again; monotonic
    kills: int = 0
    falls: int = 0  # times that it ended by itself


@dataclass
class Stage:
    """PostgreSQL, broker, bank, web, two workers and beat on ports and in folders of their own."""

    name: str
    folder: Path
    parts: dict[str, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.children = Children(VAR / f"{self.name}.json")
        self.children.stop_left_overs()
        names = ("postgres", "valkey", "bank", "bank_api", "web")
        self.ports = ports.remembered(VAR / f"ports-{self.name}.json", *names)
        self.valkey = Valkey(self.name, self.ports["valkey"], self.children)
        self.postgres = postgres.Postgres(self.name, self.ports["postgres"], self.children, durable=True)
        self.url, self.bank_url = (f"http://{HOST}:{self.ports[name]}" for name in ("web", "bank"))
        api = f"http://{HOST}:{self.ports['bank_api']}"
        ours = {
            "PUBLIC_URL": self.url,
            "BANK_API_URL": api,
            "BANK_TIMEOUT": "5",
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": str(self.folder / "mail"),
            "DATABASE_POOL": "6",
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "script")]),
        }
        self.env = environment.server(self.postgres.url, self.valkey.url, self.url, api) | ours

    # --- Up and down ------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Starts everything on an empty database with the demo's plans. Raises Problem."""
        (VAR / "log").mkdir(parents=True, exist_ok=True)
        (self.folder / "mail").mkdir(parents=True)
        shutil.rmtree(self.postgres.data, ignore_errors=True)
        self._begin("valkey", self.valkey.start)
        database = self._begin("postgres", self.postgres.start)
        self.children.wait_for("PostgreSQL", lambda: self.postgres.ready(database))
        self.manage("local.prepare")
        bank = programs.bank(
            self.env,
            host=HOST,
            public_url=self.bank_url,
            port=self.ports["bank"],
            api_port=self.ports["bank_api"],
            data=self.folder / "bank",
            shop=self.url,
        )
        commands = {
            "bank": bank,
            "web": programs.web(f"{HOST}:{self.ports['web']}"),
            "worker-1": programs.worker("one"),
            "worker-2": programs.worker("two"),
            "beat": programs.beat(),
        }
        for name, command in commands.items():
            self._begin(name, self._starter(name, command))
        self.children.wait_for("The bank", lambda: answers(HOST, self.ports["bank"], "/control/health"))
        self.children.wait_for("The shop", lambda: answers(HOST, self.ports["web"], "/healthz"))

    def close(self) -> None:
        """Ends everything; nothing of it stays but the logs."""
        for part in reversed(self.parts.values()):
            if part.child:
                self._slay(part, family(part.child.popen.pid))
        shutil.rmtree(self.postgres.data, ignore_errors=True)

    def manage(self, module: str, *words: str) -> str:
        """What a program of ours that runs to its end has written. Raises CalledProcessError."""
        command = [str(PYTHON), "-m", module, *words]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{module} {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def audit(self) -> tuple[int, str]:
        """Exit status and words of `manage.py audit --acquirer sandbox`."""
        command = [str(PYTHON), "manage.py", "audit", "--acquirer", "sandbox"]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def _begin(self, name: str, start: Callable[[], Child]) -> Child:
        part = self.parts[name] = Part(name, start)
        part.child = start()
        return part.child

    def _starter(self, name: str, command: list[str]) -> Callable[[], Child]:
        def start() -> Child:
            part = self.parts[name]
            log = self.folder / f"{name}-{part.kills + part.falls}.log"
            return self.children.start(name, command, env=self.env, log=log)

        return start

    # --- Killing and coming back ------------------------------------------------------------------------------------

    def kill(self, name: str, dice: random.Random, pause: float) -> str:
        """SIGKILL for a program: all of it, or later also one process inside, whose parent then has to cope.

        It is started again after `pause` seconds, by `supervise`. Returns what was killed, in words.
        """
        part = self.parts[name]
        assert part.child
        part.kills += 1
        whole = family(part.child.popen.pid)
        if len(whole) > 1 and part.kills > 1 and dice.random() < 0.4:
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(whole[1:]), signal.SIGKILL)
            return f"one process of {name}"
        self._slay(part, whole)
        part.back_at = time.monotonic() + pause
        return name

    def supervise(self) -> None:
        """What any supervisor does: starts again what has ended, whoever ended it."""
        for part in self.parts.values():
            if part.child and part.child.popen.poll() is not None:
                self._slay(part, family(part.child.popen.pid))
                part.falls += 1
                part.back_at = time.monotonic() + 0.5
            if part.child is None and time.monotonic() >= part.back_at:
                part.child = part.start()

    def up(self) -> list[str]:
        """The programs that run."""
        return [name for name, part in self.parts.items() if part.child]

    def _slay(self, part: Part, pids: list[int]) -> None:
        """Kills a family and waits until it is gone: what is left of a PostgreSQL keeps the next one from starting."""
        assert part.child
        lives = {pid: started(pid) for pid in pids}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(part.child.popen.pid, signal.SIGKILL)  # what was born between the look and the blow
        self.children.strike_off(part.child)
        part.child = None
        until = time.monotonic() + PATIENCE
        while any(life and started(pid) == life for pid, life in lives.items()):
            assert time.monotonic() < until, f"{part.name} does not die"
            time.sleep(0.01)


def family(head: int) -> list[int]:
    """A process and all below it, the head first. PostgreSQL's are no process group."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = [head]
    for pid in found:
        found += children.get(pid, [])
    return found


def _parents() -> Iterator[tuple[int, int]]:
    if Path("/proc/self/stat").exists():
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
                yield int(stat.parent.name), int(parent)
        return
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        pid, parent = line.split()
        yield int(pid), int(parent)


@contextlib.contextmanager
def stage(name: str, folder: Path) -> Iterator[Stage]:
    """An open stage. One of this name at a time in a checkout: another waits. Raises Problem."""
    with only_one(VAR / f"{name}.lock", f"The run {name}", wait=True):
        made = Stage(name, folder)
        try:
            made.open()
            yield made
        finally:
            made.close()
