"""Where things lie. All that is written goes below .var/ and .venv/, with one exception that postgres.py explains."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import stop
from local.problem import Problem

ROOT = Path(__file__).resolve().parents[2]
VAR = ROOT / ".var"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

NAME = f"boxoffice-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]}"  # tells this checkout from another


def site_packages(pattern: str) -> list[Path]:
    """Files inside the virtual environment's packages."""
    return sorted(VENV.glob(f"lib/python3*/site-packages/{pattern}"))


@contextmanager
def only_one(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock file; the kernel lets it go however this process ends. Raises Problem when another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                holder = f"{what} is already running in {ROOT} (process {file.read().strip() or 'unknown'})"
                if not wait:
                    raise Problem(f"{holder}. Stop it first, or use another checkout with its own ports.") from None
                if not waiting:
                    print(f"{holder}: waiting for it to end.", flush=True)
                    waiting = True
                stop.pause(0.2)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
