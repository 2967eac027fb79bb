"""Callbacks: verified, stored once, answered at once, acted on once; what makes no sense is parked with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from acquiring.types import Outcome, Status, Subject
from billing import callbacks, payments, refunds
from billing.errors import Invalid, NotFound
from billing.models import Callback, Payment, Transfer
from tests import fake_acquirer
from tests.billing.desk import AT, DAY, HOUR, MINUTE, Died, audit, fresh, give_back, paid, start, told
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db


def ring(post: dict[str, Any], kind: str = "pay", acquirer: str = "fake") -> Callback:
    """The acquirer calls; the stored callback."""
    before = set(Callback.objects.values_list("pk", flat=True))
    reply = callbacks.receive(acquirer, kind, post["headers"], post["data"], at=AT)
    assert reply.status == 200
    return Callback.objects.exclude(pk__in=before).first() or Callback.objects.get()


def work(at: Any = AT) -> int:
    return callbacks.process_due(at=at)


@pytest.fixture
def doorbell(settings: Any) -> FakeAcquirer:
    """An acquirer that does not sign: its callbacks are only a doorbell."""
    settings.ACQUIRERS = {"fake": {**fake_acquirer.SETTING["fake"], "options": {"trusted": False}}}
    return fake_acquirer.installed()


def test_M3_a_callback_that_comes_three_times_is_stored_once_and_acted_on_once(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    for _ in range(3):
        callback = ring(acquirer.callback(payment.pk, event="evt"))
    assert fresh(payment).status == "pending"  # stored and answered, not yet acted on
    assert [work(), work()] == [1, 0]
    assert fresh(payment).status == "succeeded"
    stored = fresh(callback)
    assert (stored.status, stored.subject_type, stored.subject_id) == ("processed", "payment", payment.pk)
    ring(acquirer.callback(payment.pk, event="evt"))
    assert work() == 0
    audit(acquirer)


def test_M3_ten_different_callbacks_of_one_success_are_one_payment(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    for _ in range(10):
        ring(acquirer.callback(payment.pk))
    assert work() == 10
    assert told("invoice.paid") == Transfer.objects.count() == 1
    audit(acquirer)


@pytest.mark.parametrize("spoiled", ["signature", "body", "no signature", "not JSON"])
def test_a_forged_or_unreadable_callback_is_refused_and_not_kept(acquirer: FakeAcquirer, spoiled: str) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    post = acquirer.callback(payment.pk)
    match spoiled:
        case "signature":
            post["headers"] = {fake_acquirer.SIGNATURE: "0" * 64}
        case "body":
            post["data"] = post["data"].replace(b"29900", b"1")
        case "no signature":
            post["headers"] = {}
        case "not JSON":
            post = acquirer.sign(b"[" * 1000)
    with pytest.raises(Invalid):
        callbacks.receive("fake", "pay", post["headers"], post["data"], at=AT)
    assert Callback.objects.count() == 0
    with pytest.raises(NotFound):
        callbacks.receive("bank_of_nowhere", "pay", post["headers"], post["data"], at=AT)


@pytest.mark.parametrize("changes", [{"amount": 1}, {"currency": "USD"}, {"reference": "pay_of_somebody"}])
def test_M3_a_signed_callback_with_figures_that_are_not_ours_is_parked(
    acquirer: FakeAcquirer, changes: dict[str, Any]
) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    callback = ring(acquirer.callback(payment.pk, **changes))
    work()
    assert (fresh(callback).status, fresh(payment).captured) == ("parked", 0)
    assert fresh(callback).note == fresh(payment).parked != ""


@pytest.mark.parametrize("subject", list(Subject))
@pytest.mark.parametrize("our_id", ["4c9b2a52-0000-4000-8000-000000000000", "", "１２", "' OR 1=1", "a\0", "\ud800"])
def test_a_callback_about_what_we_do_not_know_is_parked(acquirer: FakeAcquirer, subject: Subject, our_id: str) -> None:
    callback = ring(acquirer.callback(our_id, subject, status="succeeded", amount=1, currency="RUB"))
    work()
    assert fresh(callback).status == "parked"
    assert (our_id[:1].replace("\ud800", "?") or "no id") in fresh(callback).note


def test_a_callback_of_one_acquirer_does_not_touch_a_payment_at_another(acquirer: FakeAcquirer, settings: Any) -> None:
    payment = start()
    Payment.objects.filter(pk=payment.pk).update(acquirer="other")
    callback = ring(acquirer.callback(payment.pk, status="succeeded"))
    work()
    assert (fresh(callback).status, fresh(payment).status) == ("parked", "pending")


def test_old_news_of_a_closed_page_does_not_leave_a_later_hold_in_place(acquirer: FakeAcquirer) -> None:
    """The customer pays an old page after all and the sum is held; only then comes the news that it was closed."""
    payment = start()
    acquirer.settle(payment.pk, Status.CANCELLED)
    closing = acquirer.callback(payment.pk, event="closed")
    payments.check(payment.pk, at=AT)
    acquirer.settle(payment.pk, Status.AUTHORIZED)
    for post in (acquirer.callback(payment.pk, event="held"), closing):
        ring(post)
        work()
    assert payments.poll_due(at=AT + DAY) == 1
    assert [call.our_id for call in acquirer.called("void")] == [str(payment.pk)]


def test_old_news_of_a_refusal_does_not_let_go_of_a_later_hold(acquirer: FakeAcquirer) -> None:
    """Somebody must take or release it: a payment that failed here while its sum is held there is nobody's business."""
    payment = start()
    acquirer.settle(payment.pk, Status.FAILED)
    refusal = acquirer.callback(payment.pk, event="refused")
    acquirer.settle(payment.pk, Status.AUTHORIZED)
    for post in (acquirer.callback(payment.pk, event="held"), refusal):
        ring(post)
        work()
    assert fresh(payment).status == "authorized"


def test_M4_a_callback_that_arrives_during_the_first_call_counts(acquirer: FakeAcquirer) -> None:
    """The acquirer is quicker with the callback than with the answer to the charge."""

    def answer() -> Outcome:
        payment = Payment.objects.get()
        ring(acquirer.callback(payment.pk, status="succeeded", reference="r", amount=29_900, currency="RUB"))
        work()
        return Outcome(Status.PENDING, reference="r", redirect_url="https://bank.example/late")

    acquirer.program("checkout", answer)
    payment = start()
    assert payment.status == "succeeded"
    assert told("payment.pending") == 0


def test_a_success_replayed_after_the_refund_revives_nothing(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    give_back(payment)
    for event in ("evt_1", "evt_2"):
        ring(acquirer.callback(payment.pk, event=event))
    work()
    assert told("payment.succeeded") == told("invoice.paid") == 1
    assert fresh(payment).refunded == 29_900
    audit(acquirer)


def test_refund_callbacks_in_any_order_and_number_are_one_refund(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(payment)
    acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    for status in ("succeeded", "pending", "failed", "succeeded"):
        ring(acquirer.callback(refund.pk, Subject.REFUND, status=status))
    work()
    assert (fresh(refund).status, told("refund.succeeded")) == ("succeeded", 1)
    assert set(Callback.objects.values_list("status", flat=True)) == {"processed"}
    audit(acquirer)


def test_a_refused_refund_parks_the_refund_and_not_its_callback(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", Fault.DECLINE)
    refund = give_back(paid(acquirer))
    callback = ring(acquirer.callback(refund.pk, Subject.REFUND))
    work()
    assert fresh(callback).status == "processed"
    assert "still waits" in fresh(refund).parked


def test_a_doorbell_s_words_are_not_believed_and_the_letter_is(doorbell: FakeAcquirer) -> None:
    payment = start()
    ring(doorbell.callback(payment.pk, status="succeeded"))
    work()
    assert fresh(payment).status == "pending"
    doorbell.pay(payment.pk)
    ring(doorbell.callback(payment.pk, status="failed", amount=1))
    work()
    assert fresh(payment).status == "succeeded"
    doorbell.program("refund", Fault.PENDING)
    refund = give_back(payment)
    ring(doorbell.callback(refund.pk, Subject.REFUND, status="succeeded"))
    work()
    assert fresh(refund).status == "pending"
    audit(doorbell)


def test_a_callback_that_was_acted_on_asks_nobody_again(doorbell: FakeAcquirer) -> None:
    doorbell.program("refund", Fault.PENDING)
    refund = give_back(paid(doorbell))
    callback = ring(doorbell.callback(refund.pk, Subject.REFUND))
    work()
    calls = len(doorbell.calls)
    callbacks.process(callback.pk, at=AT)
    assert callbacks.retry(callback.pk, at=AT).status == "processed"
    assert len(doorbell.calls) == calls


def dies(*args: Any) -> None:
    raise Died


def test_M4_dying_after_the_money_was_booked_has_the_callback_acted_on_again(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    callback = ring(acquirer.callback(payment.pk))
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "_write_down", dies)
        with pytest.raises(Died):
            work()
    assert fresh(callback).status == "received"
    assert work(AT + MINUTE) == 1
    assert fresh(callback).status == "processed"
    audit(acquirer)


def test_a_callback_that_fails_backs_off_is_parked_and_taken_up_again(
    doorbell: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = start(), start()
    doorbell.pay(bad.pk)
    doorbell.pay(good.pk)
    doorbell.program("fetch", *[ValueError("bug")] * callbacks.PARK_AFTER)
    callback = ring(doorbell.callback(bad.pk))
    assert [work(), work()] == [1, 0]
    for n in range(1, callbacks.PARK_AFTER):
        assert fresh(callback).status == "received"
        assert work(AT + n * HOUR) == 1
    assert (fresh(callback).status, fresh(callback).note) == ("parked", "ValueError: bug")
    other = ring(doorbell.callback(good.pk))
    assert work(AT + DAY) == 1
    assert fresh(other).status == "processed"
    assert callbacks.retry(callback.pk, at=AT + DAY).status == "processed"
    assert fresh(bad).status == "succeeded"
    callbacks.retry(callback.pk, at=AT + DAY)
    assert fresh(callback).status == "processed"


def test_a_worker_that_fails_late_does_not_undo_what_another_has_done(doorbell: FakeAcquirer) -> None:
    payment = start()
    doorbell.pay(payment.pk)
    callback = ring(doorbell.callback(payment.pk))

    def overtaken() -> Outcome:
        callbacks.process(callback.pk, at=AT)
        raise ValueError("the slow worker loses its connection")

    doorbell.program("fetch", overtaken)
    assert callbacks.process(callback.pk, at=AT).status == "processed"
    assert (fresh(callback).status, fresh(callback).note) == ("processed", "")


def test_M1_a_callback_is_kept_without_secrets_and_encrypted(acquirer: FakeAcquirer) -> None:
    payment = start()
    post = acquirer.callback(payment.pk, token="tok_secret")
    post["headers"] |= {"Authorization": "Basic c2VjcmV0", "Cookie": "sessionid=1"}
    callback = ring(post)
    assert json.loads(fresh(callback).body)["token"] == "tok_secret"
    with connection.cursor() as cursor:
        cursor.execute("SELECT body, headers::text FROM billing_callback")
        body, headers = cursor.fetchone()
    assert "tok_secret" not in body
    assert "c2VjcmV0" not in headers and "sessionid" not in headers


def test_callback_poll_and_answer_agree(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    ring(acquirer.callback(payment.pk))
    payments.check(payment.pk, at=AT)
    work()
    payments.submit(payment.pk, at=AT)
    payments.cancel(payment.pk, at=AT)
    assert told("payment.succeeded") == 1
    refund = give_back(payment)
    refunds.check(refund.pk, at=AT)
    refunds.submit(refund.pk, at=AT)
    audit(acquirer)
