"""M2, M9: money is given back from the admin by the verb, once, with a reason; a refusal is a sentence."""

from __future__ import annotations

import pytest

from billing import refunds
from billing.models import Event, Payment, Refund
from tests.admin.desk import Desk, deed_of, page_of
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.things import now

pytestmark = pytest.mark.django_db


def sums() -> list[int]:
    return list(Refund.objects.order_by("created_at").values_list("amount", flat=True))


def test_M2_all_that_is_left_is_offered_and_goes_back_with_the_reason(manager, paid, acquirer):
    fields = manager.ask(paid, "refund")
    assert fields["amount"] == "2699.00"
    answer = manager.press(paid, "refund", fields, reason="ticket 4711")
    refund = Refund.objects.get()

    assert answer["Location"] == page_of(paid)
    assert "2\u00a0699.00\u00a0₽ went back" in manager.told(answer)
    assert (refund.amount, refund.reason, refund.requested_by) == (269_900, "ticket 4711", manager.user)
    assert len(acquirer.returned(paid.pk)) == 1
    event = Event.objects.get(kind="refund.requested")
    assert (event.actor, event.reason) == (f"user:{manager.user.pk}", "ticket 4711")
    text = manager.open(refund).text
    assert manager.user.email in text and "ticket 4711" in text


def test_M2_a_part_goes_back_and_the_page_then_offers_the_rest(manager, paid):
    manager.press(paid, "refund", amount="699.50")

    assert sums() == [69_950]
    assert manager.ask(paid, "refund")["amount"] == "1999.50"
    assert "699.50" in manager.open(deed_of(paid, "refund")).text


@pytest.mark.parametrize(
    ("amount", "word"),
    [
        ("2699.01", "No more than"),
        ("9999999999999", "No more than"),
        ("99999999999999999999", "digits"),
        ("-1", "above zero"),
        ("0", "above zero"),
        ("0.001", "precise"),
        ("ten", "digits"),
        ("1e3", "digits"),
        ("NaN", "digits"),
        ("1 000", "digits"),
        ("٣٤", "digits"),
        ("1_0", "digits"),
        ("", "required"),
        ("\x00", "Null"),
    ],
)
def test_M2_an_amount_that_cannot_be_is_refused_in_words_and_nothing_moves(amount, word, manager, paid, acquirer):
    answer = manager.press(paid, "refund", amount=amount)

    assert answer.status_code == 200 and word in manager.told(answer)
    assert sums() == [] and not acquirer.called("refund")
    assert "ticket 1" in answer.text  # the reason is not to be typed again


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301, "\x00"])
def test_M9_a_reason_is_required_and_bounded(reason, manager, paid):
    answer = manager.press(paid, "refund", reason=reason)

    assert answer.status_code == 200 and sums() == []


def test_M3_a_double_click_refunds_once(manager, paid, acquirer):
    fields = manager.ask(paid, "refund") | {"amount": "100.00"}
    first, second = (manager.press(paid, "refund", fields) for _ in range(2))

    assert first.status_code == second.status_code == 302
    assert sums() == [10_000] and len(acquirer.called("refund")) == 1
    assert "went back" in manager.told(second)


def test_M3_the_same_form_with_another_sum_is_refused(manager, paid):
    fields = manager.ask(paid, "refund")
    manager.press(paid, "refund", fields, amount="100.00")
    answer = manager.press(paid, "refund", fields, amount="200.00")

    assert sums() == [10_000] and "used for another refund" in manager.told(answer)


def test_M3_two_pages_opened_at_once_cannot_give_back_more_than_was_paid(manager, paid):
    forms = [manager.ask(paid, "refund"), manager.ask(paid, "refund")]
    manager.press(paid, "refund", forms[0])
    answer = manager.press(paid, "refund", forms[1])

    assert sums() == [269_900] and "No more than" in manager.told(answer)


@pytest.mark.parametrize("key", ["", "garbage", "cancel:1"])
def test_M3_a_form_without_its_key_does_nothing(key, manager, paid):
    answer = manager.press(paid, "refund", key=key)

    assert answer.status_code == 200 and sums() == []


def test_M2_what_cannot_be_refunded_has_no_button_and_its_page_says_why(manager, anna, buy):
    waiting = buy(anna, pay=False)
    assert deed_of(waiting, "refund") not in manager.open(waiting).text
    answer = manager.open(deed_of(waiting, "refund"))
    assert answer["Location"] == page_of(waiting) and "waiting for the customer" in manager.told(answer)
    answer = manager.press(waiting, "refund", {"amount": "1.00", "key": "0" * 32})

    assert "Only a successful payment" in manager.told(answer) and sums() == []


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.NOT_SENT, Fault.PENDING])
def test_M4_a_bank_that_does_not_answer_leaves_the_refund_on_its_way(fault, manager, paid, acquirer):
    acquirer.program("refund", fault)
    answer = manager.press(paid, "refund")

    assert "on its way" in manager.told(answer) and Refund.objects.get().is_live


def test_M4_a_refund_on_its_way_is_asked_about_and_the_answer_told(manager, paid, acquirer):
    acquirer.program("refund", Fault.LOSE_ANSWER)
    manager.press(paid, "refund")
    refund = Refund.objects.get()
    answer = manager.press(refund, "check", reason="customer on the line")
    refund.refresh_from_db()

    assert refund.status == "succeeded" and len(acquirer.returned(paid.pk)) == 1
    assert "Before: Checking with the bank" in manager.told(answer) and "Now: Made" in manager.told(answer)
    asked = Event.objects.get(kind="refund.asked_about")
    assert (asked.actor, asked.reason) == (f"user:{manager.user.pk}", "customer on the line")


def test_M2_a_failed_refund_is_tried_again_once_and_leaves_the_list_of_trouble(manager, failed_refund, acquirer):
    assert deed_of(failed_refund, "again") in manager.open("/admin/billing/payment/needs-a-human/").text
    form = manager.ask(failed_refund, "again")
    for _ in range(2):
        answer = manager.press(failed_refund, "again", form)
    second = Refund.objects.exclude(pk=failed_refund.pk).get()

    assert "went back" in manager.told(answer) and second.status == "succeeded"
    assert page_of(second) in manager.open(failed_refund).text
    assert "Nothing needs a human" in manager.open("/admin/billing/payment/needs-a-human/").text


def test_M2_a_refund_that_did_not_fail_is_not_tried_again(manager, paid):
    refund = refunds.request(paid.pk, amount=None, reason="x", actor="system", at=now())
    answer = manager.press(refund, "again", {})

    assert "Only a failed refund" in manager.told(answer) and Refund.objects.count() == 1


def test_an_acquirer_that_left_the_settings_is_a_sentence(manager, paid, settings):
    settings.ACQUIRERS = {"other": {"backend": "tests.fake_acquirer.FakeAcquirer"}}
    answer = manager.press(paid, "refund")

    assert answer.status_code in (200, 302) and "not among the settings" in manager.told(answer)


def test_a_get_never_does_anything_and_a_post_needs_the_csrf_token(
    manager: Desk, paid: Payment, acquirer: FakeAcquirer
):
    form = manager.ask(paid, "refund")
    manager.open(deed_of(paid, "refund"), reason="x", **form)
    manager.client.handler.enforce_csrf_checks = True
    answer = manager.press(paid, "refund", form)

    assert answer.status_code == 403 and not acquirer.called("refund")
