"""U1, W2: what goes back to a card leaves the wallet at the promise; closing a wallet; the statement."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from acquiring.types import Status, Subject
from billing import refunds, wallets
from billing.models import Invoice, Payment, Refund
from tests.billing.desk import AT, MINUTE, audit, bill, fresh, give_back, together
from tests.billing.test_wallets import code_of, held, pay, put_in, right, rubles, wallet_of
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.things import viewer

pytestmark = pytest.mark.django_db


def test_U1_a_top_up_on_its_way_back_cannot_be_spent(acquirer: FakeAcquirer) -> None:
    user = viewer()
    top_up = put_in(acquirer, user.pk, 300)
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(top_up)
    assert (refund.status, held(user.pk)) == ("pending", rubles(0))
    assert code_of(lambda: pay(bill(user_id=user.pk))) == "short_balance"
    right()
    truth = acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    refunds.apply(refund.pk, truth, actor="acquirer:fake", at=AT)
    assert held(user.pk) == rubles(0)
    audit(acquirer)
    right()


def test_U1_what_was_spent_is_not_given_back(acquirer: FakeAcquirer) -> None:
    user = viewer()
    top_up = put_in(acquirer, user.pk, 300)
    pay(bill(user_id=user.pk))
    assert code_of(lambda: give_back(top_up, "300.00")) == "over_balance"
    assert (fresh(top_up).refunded, Refund.objects.count()) == (0, 0)
    assert give_back(top_up).money == rubles(1)  # all that can be
    assert held(user.pk) == rubles(0)


@pytest.mark.django_db(transaction=True)
def test_U1_paying_and_giving_back_at_once_never_give_the_same_ruble_twice(acquirer: FakeAcquirer) -> None:
    for _ in range(4):
        user = viewer()
        top_up = put_in(acquirer, user.pk, 300)
        bills = [bill(user_id=user.pk) for _ in range(4)]

        def one(n: int, top_up: Payment = top_up, bills: list[Invoice] = bills) -> Any:
            return give_back(top_up, "200.00") if n % 2 else pay(bills[n // 2])

        results = together(8, one)
        assert sum(not isinstance(result, Exception) for result in results) == 1
        assert {getattr(each, "code", "") for each in results if isinstance(each, Exception)} <= {
            "short_balance", "over_balance", "over_refund",
        }  # fmt: skip
    right()


def test_U1_a_refund_that_the_bank_refuses_is_in_the_wallet_again(acquirer: FakeAcquirer) -> None:
    user = viewer()
    top_up = put_in(acquirer, user.pk, 300)
    refund = refused_refund(acquirer, top_up)
    assert (refund.status, held(user.pk)) == ("failed", rubles(300))
    right()


def refused_refund(acquirer: FakeAcquirer, top_up: Payment) -> Refund:
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(top_up)
    no = acquirer.settle(refund.pk, Status.FAILED, Subject.REFUND)
    return refunds.apply(refund.pk, no, actor="acquirer:fake", at=AT)


def test_U1_a_refund_made_after_all_leaves_the_wallet_again(acquirer: FakeAcquirer) -> None:
    user = viewer()
    refund = refused_refund(acquirer, put_in(acquirer, user.pk, 300))
    late = acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    refunds.apply(refund.pk, late, actor="acquirer:fake", at=AT)
    assert (fresh(refund).status, held(user.pk)) == ("succeeded", rubles(0))
    audit(acquirer)
    right()


def test_U1_a_refund_made_after_all_of_money_spent_since_waits_for_a_human(acquirer: FakeAcquirer) -> None:
    user = viewer()
    refund = refused_refund(acquirer, put_in(acquirer, user.pk, 300))
    pay(bill(user_id=user.pk))
    late = acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    refunds.apply(refund.pk, late, actor="acquirer:fake", at=AT)
    assert "spent the sum since" in fresh(refund).parked and held(user.pk) == rubles(1)


# --- closing and the statement


def close(user_id: uuid.UUID, **more: Any) -> list[Refund]:
    return wallets.close(user_id, "RUB", **{"actor": "user:1", "at": AT, "reason": "leaving"} | more)


def test_W2_a_closed_wallet_goes_back_to_its_cards_the_newest_first(acquirer: FakeAcquirer) -> None:
    user = viewer()
    old = put_in(acquirer, user.pk, 500)
    new = put_in(acquirer, user.pk, 200, at=AT + MINUTE)
    pay(bill(user_id=user.pk))
    made = close(user.pk, expected_balance=rubles(401))
    assert [(refund.payment_id, refund.money) for refund in made] == [(new.pk, rubles(200)), (old.pk, rubles(201))]
    assert held(user.pk) == rubles(0)
    assert code_of(lambda: close(user.pk)) == "empty_wallet"
    right()


def test_W2_closing_is_refused_with_the_reason_and_changes_nothing(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = viewer()
    top_up = put_in(acquirer, user.pk, 300)
    assert code_of(lambda: close(user.pk, expected_balance=rubles(299))) == "stale_balance"
    monkeypatch.setattr(wallets, "_busy", [lambda user_id, currency: "It is in use."])
    assert code_of(lambda: close(user.pk)) == "wallet_in_use"
    monkeypatch.setattr(wallets, "_busy", [])
    Payment.objects.filter(pk=top_up.pk).update(charged_back=10_000)  # the card's bank took a part
    assert code_of(lambda: close(user.pk)) == "not_returnable"
    assert held(user.pk) == rubles(300) and not Refund.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_W2_closing_and_paying_at_once_end_in_one_of_both(acquirer: FakeAcquirer) -> None:
    for _ in range(3):
        user = viewer()
        put_in(acquirer, user.pk, 200)
        put_in(acquirer, user.pk, 100)
        invoice = bill(user_id=user.pk)

        def one(n: int, user: Any = user, invoice: Invoice = invoice) -> Any:
            return close(user.pk) if n % 2 else pay(invoice)

        codes = {getattr(each, "code", "") for each in together(6, one) if isinstance(each, Exception)}
        assert codes <= {"short_balance", "empty_wallet", ""}
        assert held(user.pk) in (rubles(0), rubles(1))
    right()


def test_W2_the_statement_tells_the_balance_after_each_line(acquirer: FakeAcquirer) -> None:
    user = viewer()
    put_in(acquirer, user.pk, 300)
    pay(bill(user_id=user.pk))
    put_in(acquirer, user.pk, 50)
    lines = wallets.statement(wallet_of(user.pk))
    assert [(line.amount, line.balance) for line in lines] == [
        (rubles(50), rubles(51)),
        (rubles(-299), rubles(1)),
        (rubles(300), rubles(300)),
    ]
    assert lines[0].balance == held(user.pk)
    first = wallets.statement(wallet_of(user.pk), count=2)
    rest = wallets.statement(wallet_of(user.pk), before=first[-1].id, count=2)
    assert [line.id for line in first + rest] == [line.id for line in lines]
