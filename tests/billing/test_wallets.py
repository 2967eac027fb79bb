"""W1-W3: a wallet is filled once, never spends what it has not, and gives back to the cards that filled it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Outcome, Status
from billing import audit as whole_audit
from billing import ledger, refunds, settlement, wallets
from billing.errors import Refused
from billing.models import Account, Event, Invoice, Payment, Transfer
from tests.billing.desk import AT, HOUR, MINUTE, audit, bill, fresh, give_back, pass_time, start, together
from tests.fake_acquirer import FakeAcquirer
from tests.things import viewer

pytestmark = pytest.mark.django_db


def rubles(amount: str | int) -> Money:
    return Money(amount, "RUB")


def wallet_of(user_id: uuid.UUID) -> Account:
    return ledger.wallet(user_id, "RUB")


def held(user_id: uuid.UUID) -> Money:
    return ledger.held(wallet_of(user_id))


def put_in(acquirer: FakeAcquirer, user_id: uuid.UUID, amount: str | int, at: Any = AT) -> Payment:
    payment = wallets.top_up(user_id, wallets.TopUp(rubles(amount)), actor="test", at=at)
    return settlement.apply(payment.pk, acquirer.pay(payment.pk), actor="acquirer:fake", at=at)


def pay(invoice: Invoice) -> Payment:
    return wallets.pay(invoice.pk, actor="user:1", at=AT)


def code_of(deed: Any) -> str:
    with pytest.raises(Refused) as refusal:
        deed()
    return refusal.value.code


def right() -> None:
    assert [finding.check.name for finding in whole_audit.run(at=AT).breaches] == []


def test_W1_a_top_up_is_credited_once_when_it_is_paid(acquirer: FakeAcquirer) -> None:
    user = viewer()
    payment = wallets.top_up(user.pk, wallets.TopUp(rubles(500), description="For June"), actor="test", at=AT)
    assert (payment.status, held(user.pk)) == ("pending", rubles(0)) and payment.redirect_url
    truth = acquirer.pay(payment.pk)
    for _ in range(3):
        settlement.apply(payment.pk, truth, actor="acquirer:fake", at=AT)
    assert held(user.pk) == rubles(500)
    invoice = payment.invoice
    assert (invoice.purpose, invoice.lines.get().description) == ("top_up", "For June")
    audit(acquirer)
    right()


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (rubles(0), "bad_amount"),
        (rubles(-5), "bad_amount"),
        (rubles(100_001), "amount_too_large"),
        (Money(1, "XAU"), "currency_not_supported"),
    ],
)
def test_W1_a_top_up_of_nothing_or_of_too_much_is_refused_and_nothing_is_written(
    acquirer: FakeAcquirer, amount: Money, code: str
) -> None:
    user = viewer()
    assert code_of(lambda: wallets.top_up(user.pk, wallets.TopUp(amount), actor="test", at=AT)) == code
    assert not Invoice.objects.exists() and not Event.objects.exists()


def test_W1_whoever_has_not_confirmed_an_address_puts_nothing_in(acquirer: FakeAcquirer) -> None:
    user = viewer(confirmed=False)
    top_up = wallets.TopUp(rubles(5))
    assert code_of(lambda: wallets.top_up(user.pk, top_up, actor="test", at=AT)) == "email_not_confirmed"


def test_W1_the_same_request_is_one_top_up_and_another_figure_is_refused(acquirer: FakeAcquirer) -> None:
    user = viewer()
    first = wallets.top_up(user.pk, wallets.TopUp(rubles(5), request_key="k"), actor="test", at=AT)
    again = wallets.top_up(user.pk, wallets.TopUp(rubles(5), request_key="k"), actor="test", at=AT)
    assert again.pk == first.pk
    other = wallets.TopUp(rubles(6), request_key="k")
    assert code_of(lambda: wallets.top_up(user.pk, other, actor="test", at=AT)) == "request_key_reused"
    settlement.apply(first.pk, acquirer.pay(first.pk), actor="acquirer:fake", at=AT)
    paid = wallets.top_up(user.pk, wallets.TopUp(rubles(5), request_key="k"), actor="test", at=AT)
    assert (paid.pk, held(user.pk)) == (first.pk, rubles(5))


@pytest.mark.django_db(transaction=True)
def test_W1_fifty_clicks_with_one_key_are_one_top_up(acquirer: FakeAcquirer) -> None:
    user = viewer()
    wanted = wallets.TopUp(rubles(5), request_key="k")
    results = together(50, lambda _: wallets.top_up(user.pk, wanted, actor="test", at=AT).pk)
    assert len(set(results)) == 1 and Invoice.objects.count() == Payment.objects.count() == 1


def test_W3_an_invoice_is_paid_from_the_wallet_by_one_transfer(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    invoice = bill(user_id=user.pk)
    payment = pay(invoice)
    assert pay(invoice).pk == payment.pk  # a double click
    assert (fresh(invoice).status, held(user.pk)) == ("paid", rubles(1))
    booked = Transfer.objects.get(reference=f"payment:{payment.pk}")
    assert (booked.debit.code, booked.credit.code) == (f"wallet:{user.pk}:RUB", "revenue:RUB")
    assert len(acquirer.called("checkout")) == 1  # the top-up's own
    assert code_of(lambda: start(invoice)) == "invoice_paid"
    right()


def test_W3_what_would_go_below_zero_is_refused_and_changes_nothing(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 298)
    invoice = bill(user_id=user.pk)
    assert code_of(lambda: pay(invoice)) == "short_balance"
    assert (fresh(invoice).status, held(user.pk), Payment.objects.count()) == ("open", rubles(298), 1)


def test_W3_a_wallet_is_not_paid_into_from_itself(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    top_up = bill(rubles(100), user_id=user.pk, account=wallet_of(user.pk))
    assert code_of(lambda: pay(top_up)) == "not_from_the_wallet"


def test_W3_the_page_of_the_bank_is_closed_before_the_wallet_pays(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    invoice = bill(user_id=user.pk)
    card = start(invoice)
    pay(invoice)
    assert fresh(card).status == "cancelled"
    right()


def test_W3_an_invoice_that_turns_out_paid_by_card_is_not_paid_from_the_wallet_too(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    invoice = bill(user_id=user.pk)
    acquirer.pay(start(invoice).pk)  # and nobody has told us yet
    assert code_of(lambda: pay(invoice)) == "invoice_paid"
    assert held(user.pk) == rubles(300)
    audit(acquirer)


def test_W3_a_card_that_is_captured_after_the_wallet_paid_gets_it_back(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    invoice = bill(user_id=user.pk)
    card = start(invoice)
    pay(invoice)
    late = Outcome(Status.SUCCEEDED, fresh(card).acquirer_payment_id, amount=card.money, our_id=str(card.pk))
    settlement.apply(card.pk, late, actor="acquirer:fake", at=AT)
    assert fresh(card).surplus and fresh(card).refunded == 29_900
    assert held(user.pk) == rubles(1)


@pytest.mark.django_db(transaction=True)
def test_W3_twenty_invoices_at_once_spend_only_what_is_there(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 1000)
    bills = [bill(user_id=user.pk) for _ in range(20)]
    results = together(20, lambda n: pay(bills[n]))
    assert sorted(getattr(result, "code", "paid") for result in results) == ["paid"] * 3 + ["short_balance"] * 17
    assert held(user.pk) == rubles(103)
    right()


@pytest.mark.django_db(transaction=True)
def test_W3_twenty_clicks_pay_one_invoice_once(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 1000)
    invoice = bill(user_id=user.pk)
    assert len({payment.pk for payment in together(20, lambda _: pay(invoice))}) == 1
    assert held(user.pk) == rubles(701)


def test_W3_a_refund_of_what_the_wallet_paid_goes_to_the_wallet_at_once(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    refund = give_back(pay(bill(user_id=user.pk)), "100.00")
    assert (refund.status, held(user.pk)) == ("succeeded", rubles(101))
    assert acquirer.called("refund") == []
    right()


def test_W3_a_process_that_died_before_such_a_refund_was_made_leaves_it_to_the_sweep(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    payment = refunds.lock_payment(pay(bill(user_id=user.pk)).pk)
    refunds.promise(payment, amount=rubles(100), reason="asked", actor="test", at=AT)
    assert held(user.pk) == rubles(1)
    pass_time(MINUTE, HOUR)
    assert held(user.pk) == rubles(101)
