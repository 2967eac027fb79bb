from __future__ import annotations

from typing import Any

import pytest

from tests import fake_acquirer
from tests.fake_acquirer import FakeAcquirer


@pytest.fixture
def acquirer(settings: Any) -> FakeAcquirer:
    """An acquirer in memory, the only one, with empty books."""
    settings.ACQUIRERS = fake_acquirer.SETTING
    return fake_acquirer.installed()
