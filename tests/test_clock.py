"""The clock that a developer moves: shop and bank go by the same one, and never in production."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acquiring.bank import records
from billing_project import clock

ROOT = Path(__file__).parents[1]
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_the_clock_is_ahead_by_what_the_file_says_at_each_moment(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    now = clock.moved(lambda: NOON, file)
    assert now() == NOON
    file.write_text("3600")
    assert now() == NOON + timedelta(hours=1)
    file.write_text("86400\n")
    assert now() == NOON + timedelta(days=1)


def test_the_bank_goes_by_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    assert abs(records.now(str(file)) - records.now()) < timedelta(minutes=1)
    file.write_text(str(40 * 86_400))
    assert timedelta(days=39) < records.now(str(file)) - records.now() < timedelta(days=41)


def settings_with(**environment: str) -> subprocess.CompletedProcess[str]:
    """What another process says of the time that the settings leave it with."""
    tell = "import django.conf, django.utils.timezone as t; django.conf.settings.DEBUG; print(t.now().year)"
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "billing_project.settings"} | environment
    return subprocess.run([sys.executable, "-c", tell], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_settings_move_the_clock_of_a_laptop_and_of_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    file.write_text(str(3_660 * 86_400))
    moved = settings_with(CLOCK_FILE=str(file), DEBUG="1")
    assert int(moved.stdout) >= datetime.now(UTC).year + 10, moved.stderr
    refused = settings_with(CLOCK_FILE=str(file), DEBUG="0")
    assert refused.returncode != 0 and "only with DEBUG on" in refused.stderr


def test_the_scheduler_keeps_the_real_time(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    file.write_text(str(3_660 * 86_400))
    told = json.dumps({"CLOCK_FILE": str(file)})
    tell = f"import json; from local.environment import scheduler; print(json.dumps(scheduler({told})))"
    done = subprocess.run([sys.executable, "-c", tell], cwd=ROOT / "script", capture_output=True, text=True, check=True)
    beat = settings_with(DEBUG="1", **json.loads(done.stdout))
    assert int(beat.stdout) <= datetime.now(UTC).year, beat.stderr


@pytest.mark.parametrize("step", ["-1d", "+0.5d", "1d", "+1y", "+99999d", ""])
def test_a_step_that_is_none_is_refused(step: str) -> None:
    tell = f"from local.clock import span; span({step!r})"
    done = subprocess.run(
        [sys.executable, "-c", tell], cwd=ROOT / "script", capture_output=True, text=True, check=False
    )
    assert "is no step: +40d, +3h or +15m" in done.stderr
