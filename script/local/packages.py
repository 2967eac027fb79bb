"""The virtual environment and what is installed in it; done again only when a requirement file has changed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local import stop
from local.console import say
from local.places import PYTHON, ROOT, VAR, VENV, only_one
from local.problem import Problem
from local.processes import Children

STAMP = VENV / ".boxoffice.json"

PRODUCT = "requirements.txt"
LOCAL = "requirements/local.txt"  # a database and a broker to bring along
DEV = "requirements/dev.txt"
UV = "script/local/uv.txt"

NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"


def ensure(children: Children, *files: str) -> None:
    """Makes .venv hold what these requirement files pin. Raises Problem."""
    wanted = {file: _hash(ROOT / file) for file in files}
    if _installed().items() >= wanted.items():
        return
    with only_one(VAR / "packages.lock", "The installation of packages", wait=True):
        installed = _installed()
        if installed.items() >= wanted.items():
            return
        say("Installing Python packages into .venv (a minute or less, only the first time) ...")
        installer = _installer(children)
        STAMP.unlink(missing_ok=True)  # what is interrupted counts as not done
        _install(children, installer, files)
        STAMP.write_text(json.dumps({"place": str(VENV), "files": installed | wanted}))


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _installed() -> dict[str, str]:
    """Requirement file -> its hash when it was installed. Empty for an environment that is broken or was moved."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp["files"] if stamp["place"] == str(VENV) and os.access(PYTHON, os.X_OK) else {}


def _installer(children: Children) -> list[str]:
    """uv where it can be had, else pip: an `install` command without its arguments."""
    if not _answers(str(PYTHON), "-c", NEW_ENOUGH):
        if VENV.exists():
            say(f"{VENV} has no Python that runs and is new enough: making it anew.")
            shutil.rmtree(VENV)
        _make(children)
    if uv := _uv():
        return uv
    if not _answers(str(PYTHON), "-m", "pip", "--version"):
        _make(children)  # over what is there: it only adds the missing pip
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    if children.run("pip", [*pip, "-r", UV], env=os.environ) == 0 and (uv := _uv()):
        return uv
    say("uv cannot be installed here; going on with pip, which takes longer.")
    return pip


def _uv() -> list[str] | None:
    for candidate in (shutil.which("uv"), str(VENV / "bin" / "uv")):
        if candidate and _answers(candidate, "--version"):
            options = ["--quiet", "--python", str(PYTHON), "--require-hashes", "--compile-bytecode"]
            return [candidate, "pip", "install", *options]
    return None


def _make(children: Children) -> None:
    if uv := shutil.which("uv"):
        command = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)]
    else:
        command = [sys.executable, "-m", "venv", str(VENV)]
    if children.run("venv", command, env=os.environ) != 0:
        raise Problem(
            f"{sys.executable} could not make a virtual environment in {VENV} (its own words stand above). "
            "On Debian and Ubuntu this needs a package: apt-get install python3-venv"
        )


def _install(children: Children, installer: list[str], files: tuple[str, ...]) -> None:
    chosen = [argument for file in files for argument in ("-r", file)]
    if children.run("packages", [*installer, *chosen], env=os.environ) != 0:
        raise Problem(
            "The Python packages could not be installed; the installer's own words stand above. Without a network the "
            "first start is not possible. Where no PostgreSQL or Valkey can be brought along for this kind of machine, "
            "set DATABASE_URL and BROKER_URL to running ones: then neither is needed."
        )


def _answers(*command: str) -> bool:
    try:
        status = subprocess.run(command, capture_output=True, start_new_session=True, check=False).returncode
    except OSError:
        return False
    stop.check()
    return status == 0
