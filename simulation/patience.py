"""People who sit before a screen: what dies under their hands is done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulation.world import World

TRIES = 5


def insist(world: World, who: str, what: str, verb: Callable[[], Any]) -> Any:
    """Does `verb` until it neither dies nor has died `TRIES` times. Returns what it made, None where nothing came."""
    for _ in range(TRIES):
        made = world.act(who, what, verb)
        if not world.result.startswith("died"):
            return made
    return None
