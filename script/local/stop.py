"""Ctrl-C, SIGTERM and a closed terminal, noticed only where it is safe.

The handler just takes a note; `check` raises it. An exception out of the handler itself could fall between the start
of a child and the note that it exists, and leave that child behind for ever.
"""

import signal
import time
from types import FrameType

STEP = 0.05  # seconds between two looks at the note

_received: int | None = None


class Stop(BaseException):
    """The person wants it to end. Not an Exception: nothing may swallow it by accident."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signal = signum


def listen() -> None:
    """From now on the stopping signals are notes. Under nohup a closed terminal stays ignored."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    for each in signals:
        signal.signal(each, _note)


def _note(signum: int, frame: FrameType | None) -> None:
    global _received
    _received = _received or signum


def check() -> None:
    """Raises Stop when a signal has come."""
    if _received:
        raise Stop(_received)


def pause(seconds: float = STEP) -> None:
    """Sleeps, but not through a signal. Raises Stop."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, STEP))
    check()
