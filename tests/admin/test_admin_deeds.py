"""M8, M9, M13: the other verbs of staff: cancel, ask the bank, capture, void, take up again what was parked."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from billing import callbacks, payments
from billing.models import Callback, Delivery, Event, Invoice, Payment, Refund
from notifications.models import Message
from subscriptions.models import Subscription
from tests.admin.desk import NEEDS_A_HUMAN, deed_of, list_of, page_of
from tests.fake_acquirer import Fault
from tests.things import DAY, now, viewer

pytestmark = pytest.mark.django_db


# --- cancel


def test_M8_cancelling_shows_the_figure_first_and_does_exactly_that(support, subscription, paid):
    page = support.open(deed_of(subscription, "cancel")).text
    assert "2\u00a0699.00\u00a0₽" in page and "60 minutes" in page
    answer = support.press(subscription, "cancel", reason="moved to a village")
    subscription.refresh_from_db()
    refund = Refund.objects.get()

    assert "Cancelled" in support.told(answer)
    assert (subscription.status, subscription.cancel_reason) == ("cancelled", "moved to a village")
    assert (refund.amount, refund.requested_by) == (269_900, support.user)
    assert Event.objects.get(kind="subscription.cancelled").actor == f"user:{support.user.pk}"


def test_M8_a_stale_figure_is_refused_and_the_page_shows_the_new_one(support, subscription, paid):
    form = support.ask(subscription, "cancel")
    Payment.objects.filter(pk=paid.pk).update(settled_at=now() - 2 * DAY)  # the first hour is over meanwhile
    answer = support.press(subscription, "cancel", form, reason="too slow")
    subscription.refresh_from_db()

    assert subscription.status == "active" and not Refund.objects.exists()
    assert "The refund is 2\u00a0474.08\u00a0₽ now" in support.told(answer)
    assert 'value="2474.08"' in answer.text and "too slow" in answer.text


@pytest.mark.parametrize("figure", ["", "free", "\x00", "1e3"])
def test_M8_a_figure_that_was_never_shown_is_refused(figure, support, subscription):
    answer = support.press(subscription, "cancel", expected_refund=figure)
    subscription.refresh_from_db()

    assert answer.status_code == 200 and subscription.status == "active"


def test_M8_cancelling_twice_is_a_sentence(support, subscription):
    form = support.ask(subscription, "cancel")
    support.press(subscription, "cancel", form)
    answer = support.press(subscription, "cancel", form)

    assert answer["Location"] == page_of(subscription) and "nothing to cancel" in support.told(answer)
    assert Refund.objects.count() == 1


def test_M8_a_checkout_that_nobody_paid_is_given_up(support, anna, buy):
    buy(anna, pay=False)
    subscription = Subscription.objects.get(user=anna)
    answer = support.press(subscription, "cancel")
    subscription.refresh_from_db()

    assert subscription.status == "abandoned" and Invoice.objects.get().status == "void", support.told(answer)


# --- ask, capture, void


def test_M13_asking_the_bank_finds_a_payment_whose_callback_was_lost(support, anna, buy, acquirer):
    payment = buy(anna, pay=False)
    acquirer.pay(payment.pk)
    answer = support.press(payment, "check", reason="says he paid")
    payment.refresh_from_db()

    assert payment.status == "succeeded"
    assert "Before: Waiting for the customer" in support.told(answer) and "Now: Succeeded" in support.told(answer)
    asked = Event.objects.get(kind="payment.asked_about")
    assert (asked.actor, asked.reason) == (f"user:{support.user.pk}", "says he paid")
    assert "says he paid" in support.open(payment).text


def test_M13_several_payments_are_asked_about_from_the_list_with_one_reason(support, anna, buy, acquirer):
    mine, other = buy(anna, pay=False), buy(viewer(), "month", pay=False)
    acquirer.pay(mine.pk)
    settled = buy(viewer(), "month")
    asked = len(acquirer.called("fetch"))
    form = {"action": "deed_check", "_selected_action": [str(each.pk) for each in (mine, other, settled)]}
    page = support.client.post(list_of(Payment), form | {"index": "0"})
    assert "one after another" in page.text and "Left out" in page.text and anna.email in page.text
    assert support.client.post(list_of(Payment), form | {"confirmed": "1", "reason": ""}).status_code == 200
    answer = support.client.post(list_of(Payment), form | {"confirmed": "1", "reason": "after the outage"})

    assert "Now: Succeeded" in support.told(answer) and "Nothing new" in support.told(answer)
    assert len(acquirer.called("fetch")) == asked + 2
    assert Event.objects.filter(kind="payment.asked_about", reason="after the outage").count() == 2


def test_a_held_payment_is_captured(manager, anna, buy, acquirer):
    acquirer.program("checkout", Fault.AUTHORIZE)
    payment = buy(anna, pay=False)
    assert payment.status == "authorized"
    answer = manager.press(payment, "capture")
    payment.refresh_from_db()

    assert payment.status == "succeeded" and "Now: Succeeded" in manager.told(answer)
    assert Event.objects.filter(kind="payment.capture_asked", reason="ticket 1").exists()


def test_what_is_not_held_cannot_be_captured(manager, anna, buy):
    answer = manager.press(buy(anna, pay=False), "capture", {})

    assert "Only an authorized payment" in manager.told(answer)


def test_an_open_invoice_is_voided_after_the_bank_closed_its_page(manager, anna, buy, acquirer):
    invoice = buy(anna, pay=False).invoice
    answer = manager.press(invoice, "void", reason="ordered by mistake")
    invoice.refresh_from_db()

    assert invoice.status == "void" and "is void" in manager.told(answer) and acquirer.called("void")
    assert Event.objects.get(kind="invoice.voided").reason == "ordered by mistake"


def test_an_invoice_that_turns_out_paid_is_not_voided(manager, anna, buy, acquirer):
    payment = buy(anna, pay=False)
    form = manager.ask(payment.invoice, "void")
    acquirer.pay(payment.pk)
    answer = manager.press(payment.invoice, "void", form)

    assert Invoice.objects.get().status == "paid" and "closed already" in manager.told(answer)


def test_an_invoice_is_not_voided_while_the_bank_cannot_say(manager, anna, buy, acquirer):
    payment = buy(anna, pay=False)
    acquirer.program("void", Fault.LOSE_REQUEST)
    answer = manager.press(payment.invoice, "void")

    assert Invoice.objects.get().status == "open" and "in progress" in manager.told(answer)


# --- what was parked


def parked_rows(paid: Payment) -> dict[str, Any]:
    event = Event.objects.filter(kind="invoice.paid").first()
    Payment.objects.filter(pk=paid.pk).update(parked="The acquirer took 1.00 ₽.")
    delivery = Delivery.objects.get(event=event)
    Delivery.objects.filter(pk=delivery.pk).update(status="parked", error="KeyError: 'x'", attempts=12)
    body = '{"subject": "payment", "card": {"token": "tok_in_a_callback"}, "our_id": "nobody"}'
    callback = Callback.objects.create(
        acquirer="fake", kind="notice", dedupe_key="1", headers={"x-fake-signature": "s1gn"}, body=body,
        status="parked", attempts=1, next_attempt_at=now(), received_at=now(), note="We do not know this payment.",
    )  # fmt: skip
    message = Message.objects.order_by("created_at")[0]
    Message.objects.filter(pk=message.pk).update(status="parked", error="May have been sent.")
    return {"payment": paid, "delivery": delivery, "callback": callback, "message": message}


def test_a_good_day_says_so(support, paid):
    assert "Nothing needs a human" in support.open(NEEDS_A_HUMAN).text
    assert "Nothing needs a human" in support.open("/admin/").text


def test_all_that_is_parked_is_on_one_page_with_why_link_and_button(manager, failed_refund, paid):
    parked = parked_rows(paid)
    text = manager.open(NEEDS_A_HUMAN).text

    for row in (*parked.values(), failed_refund):
        assert page_of(row) in text
    for why in ("The acquirer took 1.00 ₽.", "KeyError", "We do not know this payment.", "May have been sent."):
        assert why in text
    for row in (parked["delivery"], parked["callback"], parked["message"], failed_refund):
        assert deed_of(row, "again") in text
    assert "Needs a human: 5" in manager.open("/admin/").text


def test_what_is_parked_is_taken_up_again(manager, paid, acquirer, mailoutbox, settings):
    settings.CELERY_TASK_ALWAYS_EAGER = False
    parked = parked_rows(paid)
    answers = {noun: manager.press(parked[noun], "again", {}) for noun in ("delivery", "callback", "message")}
    for noun in answers:
        parked[noun].refresh_from_db()

    assert parked["delivery"].status == "due" and "Taken up again" in manager.told(answers["delivery"])
    assert "No better" in manager.told(answers["callback"])  # the signature of that body is still wrong
    assert parked["message"].status == "sent" and mailoutbox[-1].subject == parked["message"].subject
    assert LogEntry.objects.filter(change_message__contains="ticket 1").count() == 3


def test_a_good_callback_is_processed_when_taken_up_again(manager, anna, buy, acquirer):
    payment = buy(anna, pay=False)
    acquirer.pay(payment.pk)
    sent = acquirer.callback(payment.pk)
    callbacks.receive("fake", "", sent["headers"], sent["data"], at=now())
    Callback.objects.update(status="parked")
    answer = manager.press(Callback.objects.get(), "again", {})

    assert "processed now" in manager.told(answer)
    assert Payment.objects.get().status == "succeeded"


def test_a_callback_is_shown_without_its_secrets(support, paid):
    text = support.open(parked_rows(paid)["callback"]).text

    assert "tok_in_a_callback" not in text and "s1gn" not in text
    assert "[redacted]" in text and "nobody" in text


@pytest.mark.parametrize(
    "body",
    ["", "plain tok_x", "<a>tok_x</a>", "Token=tok_x&Amount=1", '{"rebill_id": "tok_x"}', '[{"cardToken": "tok_x"}]',
     "[" * 50_000, '"tok_x"', '{"a": {"CardCryptogramPacket": "tok_x"}}'],
)  # fmt: skip
def test_a_body_of_any_shape_shows_no_token(body, support, plans):
    callback = Callback.objects.create(
        acquirer="fake", kind="k", dedupe_key="2", body=body, next_attempt_at=now(), received_at=now()
    )
    answer = support.open(callback)

    assert answer.status_code == 200 and "tok_x" not in answer.text


def test_deeds_on_what_does_not_exist_lead_home(manager, plans):
    for pk in ("nobody", "0" * 32, "\x00"):
        assert manager.open(f"{list_of(Payment)}{pk}/refund/").status_code == 302


def test_a_payment_that_succeeded_need_not_be_asked_about(support, paid):
    assert deed_of(paid, "check") not in support.open(paid).text
    answer = support.press(paid, "check", {})

    assert "nothing to ask" in support.told(answer)
    assert payments.check(paid.pk, at=now()).status == "succeeded"
