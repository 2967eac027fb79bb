"""A refund that is sent again: a refusal of that request says nothing of what the first one did."""

from __future__ import annotations

import pytest

from acquiring.types import Decline, Outcome, Status
from billing import refunds
from tests.billing.desk import AT, HOUR, fresh, give_back, paid
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db

REFUSED = Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="unauthorized", message="wrong secret")


def test_a_refused_repeat_leaves_the_refund_open(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Fault.LOSE_REQUEST, REFUSED)
    refund = give_back(payment)
    assert refund.status == "unknown"
    assert refunds.check(refund.pk, at=AT + HOUR).status == "unknown"  # never seen, sent again, refused at the door
    assert refunds.check(refund.pk, at=AT + 2 * HOUR).status == "succeeded"


def test_a_refused_first_try_has_failed(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", REFUSED)
    assert fresh(give_back(payment)).status == "failed"
