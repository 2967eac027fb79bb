from __future__ import annotations

import pytest

from tests.local_bank import LocalBank
from tests.scenarios.story import Story
from tests.things import plan


@pytest.fixture
def story(bank: LocalBank) -> Story:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return Story(bank)


@pytest.fixture
def called(bank_that_calls: LocalBank) -> Story:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return Story(bank_that_calls)
