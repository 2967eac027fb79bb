"""B7: staff see each difference, and resolve it with a button and a reason."""

from __future__ import annotations

import pytest
from django.db import transaction
from moneyed import Money

from acquiring.types import Outcome, Status
from billing import parking, reconciliation
from billing.errors import Conflict
from billing.models import Callback, Case, Delivery, Event, Payment, Refund
from notifications.models import Message
from tests.admin.desk import NEEDS_A_HUMAN, deed_of
from tests.admin.test_admin_deeds import parked_rows
from tests.things import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(paid: Payment) -> Case:
    """A refund of 100.00 that was made in the cabinet."""
    outcome = Outcome(Status.SUCCEEDED, reference="ref_cabinet", amount=Money("100.00", "RUB"))
    found = reconciliation.unknown_refund("fake", outcome, paid.acquirer_payment_id, at=now())
    assert found is not None
    return found


def test_B7_a_case_is_on_the_list_of_what_needs_a_human_with_its_buttons(manager, support, case):
    text = manager.open(NEEDS_A_HUMAN).text

    assert case.sentence in text and deed_of(case, "record") in text and deed_of(case, "dismiss") in text
    assert deed_of(case, "loss") not in text
    assert case.sentence in support.open(NEEDS_A_HUMAN).text
    assert deed_of(case, "record") not in support.open(NEEDS_A_HUMAN).text
    assert support.open(deed_of(case, "record")).status_code == 403
    assert manager.found(Case, kind="unknown_refund") == [case.pk] and manager.found(Case, kind="chargeback") == []
    assert manager.found(Case, q="ref_cabinet") == manager.found(Case, q=str(case.payment_id)) == [case.pk]


def test_B7_a_button_resolves_it_and_the_reason_is_kept(manager, case):
    assert "The case is resolved" in manager.told(manager.press(case, "record", {}))
    case = Case.objects.get()
    assert (case.status, case.resolution, case.reason, case.resolved_by) == (
        "resolved", "record", "ticket 1", manager.user,
    )  # fmt: skip
    assert Refund.objects.get() == case.refund and case.refund.status == "succeeded"
    assert case.sentence not in manager.open(NEEDS_A_HUMAN).text
    assert "resolved already" in manager.told(manager.press(case, "dismiss", {}))


def test_B7_dismissing_books_nothing_and_the_difference_makes_no_other_case(manager, case, paid):
    manager.press(case, "dismiss", {})
    outcome = Outcome(Status.SUCCEEDED, reference="ref_cabinet", amount=paid.money)

    assert reconciliation.unknown_refund("fake", outcome, paid.acquirer_payment_id, at=now()) == case
    assert Case.objects.get().resolution == "dismiss" and not Refund.objects.exists()


def test_what_staff_have_dealt_with_leaves_the_list_and_the_reason_is_kept(manager, failed_refund, paid):
    parked = parked_rows(paid)
    for row in (parked["payment"], failed_refund, parked["callback"]):
        assert "off the list" in manager.told(manager.press(row, "dealt-with", {}))
        assert deed_of(row, "dealt-with") not in manager.open(NEEDS_A_HUMAN).text
    told = Event.objects.filter(kind="payment.unparked").get()

    assert (told.reason, told.data["parked"]) == ("ticket 1", "The acquirer took 1.00 ₽.")
    assert Event.objects.filter(kind="refund.unparked", actor=f"user:{manager.user.pk}").exists()
    callback = Callback.objects.get(pk=parked["callback"].pk)
    assert callback.status == "processed" and "ticket 1" in callback.note


def test_deliveries_and_mails_that_staff_have_dealt_with_leave_the_list_too(manager, support, paid):
    parked = parked_rows(paid)
    for row in (parked["delivery"], parked["message"]):
        assert support.press(row, "dealt-with", {}).status_code == 403
        assert deed_of(row, "dealt-with") in manager.open(NEEDS_A_HUMAN).text
        assert "off the list" in manager.told(manager.press(row, "dealt-with", {}))
        assert deed_of(row, "dealt-with") not in manager.open(NEEDS_A_HUMAN).text
        assert "not" in manager.told(manager.press(row, "dealt-with", {}))
    delivery = Delivery.objects.get(pk=parked["delivery"].pk)
    message = Message.objects.get(pk=parked["message"].pk)

    assert (delivery.status, message.status) == ("done", "dealt")
    for row in (delivery, message):
        assert f"Dealt with by user:{manager.user.pk}: ticket 1. It was parked because: " in row.error


def test_what_is_not_parked_cannot_be_taken_off_the_list(paid):
    with pytest.raises(Conflict, match="not parked"), transaction.atomic():
        parking.unpark(Payment, paid.pk, actor="x", reason="x", at=now())
