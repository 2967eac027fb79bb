"""One terminal for many programs: each line starts with the name of the one that wrote it."""

import contextlib
import os
import sys
import threading

WIDTH = 8  # of the longest name, "postgres"
COLOURS = {"web": 36, "worker": 33, "beat": 35, "bank": 32}

_lock = threading.Lock()


def say(text: str = "", *, error: bool = False) -> None:
    """Our own word to the person; a closed pipe (`script/server | head`) is no reason to fall over while stopping."""
    stream = sys.stderr if error else sys.stdout
    with _lock, contextlib.suppress(BrokenPipeError):
        print(text, file=stream, flush=True)


def relay(name: str, line: str) -> None:
    prefix = f"{name:<{WIDTH}} |"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        prefix = f"\033[{COLOURS.get(name, 37)}m{prefix}\033[0m"
    say(f"{prefix} {line}")
