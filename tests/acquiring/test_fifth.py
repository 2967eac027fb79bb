"""Adding an acquirer touches one file and one entry in the settings: the worked example keeps the whole contract."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from acquiring import checks
from billing import audit, reconciliation
from billing.models import Case, Payment
from tests.acquiring import fifth
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.shop import Shop
from tests.acquiring.test_sandbox import Far
from tests.local_bank import LocalBank
from tests.scenarios.story import Story
from tests.things import now, plan


def entry(bank: LocalBank, callback_url: str = "", timeout: float = 1.0) -> dict[str, Any]:
    """What is written into the settings."""
    options = {"url": bank.api_url, "merchant": bank.merchant, "secret": bank.secret, "timeout": timeout}
    options |= {"callback_secret": bank.callback_secret, "callback_url": callback_url}
    return {"piggy": {"backend": "tests.acquiring.fifth.Piggy", "options": options}}


@pytest.fixture
def acquirer(bank: LocalBank, shop: Shop) -> fifth.Piggy:
    return fifth.Piggy(**entry(bank, shop.url, 10.0)["piggy"]["options"])


@pytest.fixture
def impatient(bank: LocalBank, shop: Shop) -> fifth.Piggy:
    return fifth.Piggy(**entry(bank, shop.url, 0.3)["piggy"]["options"])


@pytest.fixture
def stranger(bank: LocalBank) -> fifth.Piggy:
    return fifth.Piggy(**entry(bank)["piggy"]["options"] | {"secret": "wrong"})


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> Far:
    return Far(bank, shop)


class TestPiggy(AcquirerContract):
    """Every promise of the contract."""


def test_the_example_is_short() -> None:
    assert len(Path(fifth.__file__).read_text().splitlines()) <= 150


@pytest.mark.django_db(transaction=True)
def test_one_entry_in_the_settings_and_the_whole_product_works_through_it(bank: LocalBank, settings: Any) -> None:
    settings.ACQUIRERS = entry(bank, "http://127.0.0.1:9/nobody")  # what it knows, it has asked for
    assert checks.check_options() == []
    plan("month", 1, 29_900)
    story = Story(bank)
    story.subscribe(auto_renew=True)
    story.pay("4000000000003220")
    story.wait(minutes=5)
    assert (story.subscription.status, story.watches) == ("active", True)
    end = story.subscription.valid_till
    assert end
    story.wait(seconds=(end - story.at).total_seconds())
    assert len(story.charges()) == 2
    story.cancel()
    story.wait(minutes=5)
    assert {payment.acquirer for payment in Payment.objects.all()} == {"piggy"}
    assert not audit.run(at=story.at).breaches
    first = now().astimezone(UTC).date()
    for day in reconciliation.days_since(first, story.at.astimezone(UTC).date()):
        reconciliation.run("piggy", day, at=story.at)
    assert not Case.objects.exists()
