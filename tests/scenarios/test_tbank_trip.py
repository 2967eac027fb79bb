"""The whole of a customer's life at T-Bank, through its emulator: nothing is taken twice, and nothing is left over."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from moneyed import Money

from acquiring import registry
from acquiring.http import Unanswered
from billing import audit, callbacks, ledger, reconciliation, refunds
from billing.models import Callback, Case, Payment, Receipt, Refund
from tests.acquiring.far import charge
from tests.local_bank import LocalBank, eventually
from tests.scenarios.story import Story
from tests.things import now, plan, run_until_idle

pytestmark = pytest.mark.django_db(transaction=True)

CHALLENGED = "4000000000003220"


def tbank_at(bank: LocalBank, callback_url: str = "") -> dict[str, Any]:
    """`settings.ACQUIRERS` with the given bank alone, which speaks T-Bank's protocol."""
    options = {"terminal_key": bank.merchant, "passwords": [bank.secret], "callback_url": callback_url, "timeout": 1.0}
    options |= {"url": f"{bank.api_url}/tbank/v2", "repeat_refunds": True}  # a terminal that takes no SBP
    return {"tbank": {"backend": "acquiring.backends.tbank.TBank", "options": options}}


@pytest.fixture
def quiet(bank: LocalBank, settings: Any) -> Story:
    """A shop that no notification reaches: whatever it knows, it has asked for."""
    settings.ACQUIRERS = tbank_at(bank)
    plan("month", 1, 29_900)
    return Story(bank)


@pytest.fixture
def told(bank: LocalBank, settings: Any, live_server: Any) -> Story:
    """A shop that T-Bank's notifications reach."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = live_server.url
    settings.ACQUIRERS = tbank_at(bank, f"{live_server.url}/api/v1/callbacks/tbank")
    plan("month", 1, 29_900)
    return Story(bank)


def heard(story: Story) -> None:
    """Waits until T-Bank has said all it has to say, and acts upon it."""
    eventually(lambda: {each["state"] for each in story.bank.callbacks()} <= {"delivered"})
    callbacks.process_due(at=max(now(), story.at))
    assert not Callback.objects.filter(status=Callback.Status.PARKED).exists()


def renew(story: Story) -> None:
    end = story.subscription.valid_till
    assert end
    story.wait(seconds=(end - story.at).total_seconds())


def agreed(story: Story) -> None:
    """T-Bank and the books agree to the kopeck, nothing waits for a human, and no day has a case."""
    done = [each for each in story.bank.operations() if each["state"] == "succeeded"]
    there = sum(int(each["amount"]) * (1 if each["kind"] == "charge" else -1) for each in done)
    assert ledger.balance(ledger.cash("tbank", "RUB")) == Money(there, "RUB") / 100
    assert not audit.run(at=story.at).breaches
    assert not Payment.objects.exclude(parked="").exists()
    assert not Refund.objects.exclude(parked="").exists()
    first = now().astimezone(UTC).date()
    for day in reconciliation.days_since(first, story.at.astimezone(UTC).date()):
        assert not reconciliation.run("tbank", day, at=story.at).opened
    assert not Case.objects.exists()


def test_a_life_at_t_bank_that_notifications_tell_of(told: Story) -> None:
    told.subscribe(auto_renew=True)
    told.pay(CHALLENGED)
    heard(told)
    told.wait(minutes=5)
    assert (told.payment.status, told.watches) == ("succeeded", True)
    assert told.payment.method is not None
    renew(told)
    assert (told.subscription.status, len(told.charges())) == ("active", 2)
    told.bank.fault("decline:insufficient_funds", rate=1)
    renew(told)
    told.wait(hours=1)
    told.bank.clear_faults()
    assert (told.subscription.status, len(told.charges())) == ("past_due", 2)
    first = told.subscription
    told.subscribe(auto_renew=True)
    told.pay("5555555555554444")
    heard(told)
    told.wait(minutes=5)
    assert (told.subscription.status, told.payment.method and told.payment.method.brand) == ("active", "Mastercard")
    assert first.pk != told.subscription.pk
    given = refunds.request(
        told.payment.pk, amount=Money("50.00", "RUB"), reason="a film broke", actor="user:1", at=told.at
    )
    assert given.status == "succeeded"
    done = told.cancel()
    assert done.refund is not None
    assert done.refund.status == "succeeded"
    heard(told)
    told.wait(minutes=1)
    agreed(told)


def test_a_life_at_t_bank_that_only_our_own_questions_tell_of(quiet: Story) -> None:
    quiet.subscribe(auto_renew=True)
    quiet.pay(CHALLENGED)
    quiet.wait(minutes=5)
    assert (quiet.payment.status, quiet.watches) == ("succeeded", True)
    assert quiet.payment.method is not None
    renew(quiet)
    quiet.cancel()
    quiet.wait(minutes=1)
    agreed(quiet)


@pytest.mark.parametrize("trouble", ["timeout_after", "timeout_before", "error_after"])
def test_a_page_whose_address_was_lost_is_opened_again(quiet: Story, trouble: str) -> None:
    quiet.bank.fault(trouble)
    assert quiet.subscribe().redirect_url == ""
    quiet.wait(minutes=3)
    assert quiet.payment.redirect_url
    quiet.pay()
    quiet.wait(minutes=5)
    assert (quiet.payment.status, len(quiet.charges())) == ("succeeded", 1)
    agreed(quiet)


@pytest.mark.parametrize("first", ["error_after", "timeout_before"])
@pytest.mark.parametrize("second", ["error_after", "timeout_before", "timeout_after"])
def test_a_renewal_whose_answers_are_lost_is_charged_once(quiet: Story, first: str, second: str) -> None:
    quiet.subscribe(auto_renew=True)
    quiet.pay()
    quiet.wait(minutes=5)
    quiet.bank.fault(first)
    quiet.bank.fault(second)
    renew(quiet)
    quiet.wait(minutes=5)
    quiet.wait(minutes=5)
    assert (quiet.subscription.status, len(quiet.charges())) == ("active", 2)
    agreed(quiet)


@pytest.mark.parametrize("trouble", ["timeout_before", "timeout_after"])
def test_a_renewal_whose_charge_was_sent_and_not_answered_is_charged_once(
    quiet: Story, settings: Any, trouble: str
) -> None:
    entry = settings.ACQUIRERS["tbank"]
    settings.ACQUIRERS = {"tbank": entry | {"options": entry["options"] | {"clock": lambda: quiet.at}}}
    quiet.subscribe(auto_renew=True)
    quiet.pay()
    quiet.wait(minutes=5)
    quiet.bank.fault("error_after")  # of Init
    renew(quiet)
    quiet.bank.fault(trouble)  # of Charge
    quiet.wait(minutes=5)
    sent = Payment.objects.latest("created_at")
    assert (sent.status, bool(sent.acquirer_payment_id)) == ("unknown", True)
    for _ in range(3):  # one that never arrived is cancelled after an hour, and another try follows
        quiet.wait(hours=1)
        assert quiet.watches
    sent.refresh_from_db()
    assert sent.status == {"timeout_before": "cancelled", "timeout_after": "succeeded"}[trouble]
    assert (quiet.subscription.status, len(quiet.charges())) == ("active", 2)
    agreed(quiet)


@pytest.mark.parametrize("trouble", ["timeout_after", "timeout_before", "error_after", "refund_pending:0.5"])
def test_a_refund_whose_answer_is_lost_is_made_once(quiet: Story, trouble: str) -> None:
    quiet.subscribe()
    quiet.pay()
    quiet.wait(minutes=5)
    quiet.bank.fault(trouble)
    for part in ("100.00", "50.00"):
        refunds.request(quiet.payment.pk, amount=Money(part, "RUB"), reason="a film", actor="user:1", at=quiet.at)
    if trouble.startswith("refund_pending"):
        assert sorted(Refund.objects.values_list("status", flat=True)) == ["created", "pending"]
        eventually(lambda: [each for each in quiet.bank.operations() if each["kind"] == "refund"])
    for _ in range(4):
        quiet.wait(minutes=30)
    assert set(Refund.objects.values_list("status", flat=True)) == {"succeeded"}
    assert [each["amount"] for each in quiet.bank.operations() if each["kind"] == "refund"] in (
        [10000, 5000],
        [5000, 10000],
    )
    agreed(quiet)


def test_all_of_a_payment_given_back_behind_our_back_is_a_case(quiet: Story) -> None:
    quiet.subscribe()
    quiet.pay()
    quiet.wait(minutes=5)
    quiet.bank.refund_in_cabinet(quiet.charges()[0]["id"], 29900)
    result = reconciliation.run("tbank", now().astimezone(UTC).date(), at=quiet.at)
    (case,) = result.opened
    assert (case.kind, case.their_money, case.payment) == ("unknown_refund", Money("299.00", "RUB"), quiet.payment)
    assert not reconciliation.run("tbank", now().astimezone(UTC).date(), at=quiet.at).opened


def test_a_refund_behind_our_back_that_is_told_of_waits_for_a_human(told: Story) -> None:
    told.subscribe()
    told.pay()
    heard(told)
    told.wait(minutes=5)
    told.bank.refund_in_cabinet(told.charges()[0]["id"], 100)
    eventually(lambda: Callback.objects.filter(kind="PARTIAL_REFUNDED").exists())
    callbacks.process_due(at=now())
    assert "we did not ask for it" in Callback.objects.get(kind="PARTIAL_REFUNDED").note


def test_no_answer_is_no_agreement(quiet: Story) -> None:
    quiet.subscribe()
    quiet.pay()
    quiet.wait(minutes=5)
    quiet.bank.fault("refuse", 30)
    with pytest.raises(Unanswered):
        reconciliation.run("tbank", now().astimezone(UTC).date(), at=quiet.at)
    quiet.bank.clear_faults()
    assert quiet.at - now() < timedelta(hours=1)
    run_until_idle(quiet.at)


def test_a_card_that_is_told_of_after_the_money_pays_the_renewals(told: Story) -> None:
    backend, customer = registry.get("tbank"), str(told.user.pk)
    for _ in range(2):  # two cards of the same customer: T-Bank's list does not say which one paid
        page = backend.checkout(charge(save_card=True, customer_id=customer))
        told.bank.pay(page.redirect_url)
    eventually(lambda: {each["state"] for each in told.bank.callbacks()} <= {"delivered"})
    Callback.objects.all().delete()
    told.bank.fault("callback_delayed:3", 2)
    told.subscribe(auto_renew=True)
    told.pay("5555555555554444")
    told.wait(seconds=30)
    assert (told.payment.status, told.payment.method) == ("succeeded", None)
    assert told.subscription.method is None
    heard(told)
    told.wait(seconds=1)
    assert told.payment.method is not None
    assert told.subscription.method == told.payment.method
    renew(told)
    assert (told.subscription.status, told.payment.method.brand) == ("active", "Mastercard")


def test_receipts_of_a_payment_and_its_refund_are_told_as_made(told: Story, settings: Any) -> None:
    entry = settings.ACQUIRERS["tbank"] | {"receipts": {"tax_system": "usn_income", "vat": "none"}}
    settings.ACQUIRERS = {"tbank": entry}
    told.subscribe()
    told.pay()
    heard(told)
    told.wait(minutes=5)
    refunds.request(told.payment.pk, amount=Money("50.00", "RUB"), reason="a film", actor="user:1", at=told.at)
    heard(told)
    assert [receipt.status for receipt in Receipt.objects.all()] == ["registered", "registered"]
