from __future__ import annotations

from datetime import timedelta

import pytest

from tests.local_bank import LocalBank
from tests.scenarios.story import Story
from tests.things import plan

AHEAD = timedelta(minutes=10)  # callbacks come by the real clock: however slow the machine, the story is later


@pytest.fixture
def story(bank: LocalBank) -> Story:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return Story(bank)


@pytest.fixture
def called(bank_that_calls: LocalBank) -> Story:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    story = Story(bank_that_calls)
    story.at += AHEAD
    return story
