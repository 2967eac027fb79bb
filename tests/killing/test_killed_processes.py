"""A short run of `script/hunt kills`: the whole installation as real processes, each killed at least once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.killing.run import run

NAME = f"kills-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"


@pytest.mark.slow
def test_M3_whatever_is_killed_nobody_is_charged_twice_and_nothing_accepted_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("DATABASE_URL", "BROKER_URL"):
        monkeypatch.delenv(variable, raising=False)
    verdict = run(NAME, tmp_path / "run", kills=9, seed=3, customers=12, hurry=True, say=print)
    print(json.dumps(verdict.figures))
    assert not verdict.wrong, "\n".join(verdict.wrong)
    assert all(verdict.figures["kills"].values())
    assert verdict.figures["charges"] > 0
    assert verdict.figures["refunds"] > 0
