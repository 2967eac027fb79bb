"""The books: every movement once, between two accounts, and wallets never below zero under any concurrency."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from moneyed import Money

from billing import ledger, money
from billing.models import Account, Transfer
from tests.billing.desk import AT, fresh, together
from tests.things import viewer

pytestmark = pytest.mark.django_db


def post(debit: Account, credit: Account, rubles: str, reference: str = "") -> Transfer:
    with transaction.atomic():
        return ledger.post(
            reference or f"test:{uuid.uuid4()}",
            debit=debit,
            credit=credit,
            amount=Money(rubles, "RUB"),
            description="a test",
            at=AT,
        )


def test_B2_the_same_thing_is_booked_once() -> None:
    cash, revenue = ledger.cash("fake", "RUB"), ledger.revenue("RUB")
    post(cash, revenue, "1", "payment:1")
    with pytest.raises(IntegrityError, match="reference"), transaction.atomic():
        post(cash, revenue, "1", "payment:1")
    assert ledger.balance(cash) == ledger.balance(revenue) == Money(1, "RUB")


def test_B2_every_account_s_balance_is_the_sum_of_its_transfers_and_all_of_them_balance() -> None:
    cash, revenue, back = ledger.cash("fake", "RUB"), ledger.revenue("RUB"), ledger.refunds("RUB")
    wallet, suspense = ledger.wallet(viewer().pk, "RUB"), ledger.suspense("RUB")
    post(cash, revenue, "299")
    post(cash, wallet, "500")
    post(wallet, revenue, "120.50")
    post(cash, suspense, "7")
    post(back, cash, "99")
    balances = [ledger.balance(each) for each in (cash, back, revenue, wallet, suspense)]
    assert [money.plain(each) for each in balances] == ["707.00", "99.00", "419.50", "379.50", "7.00"]
    assert sum(balances[:2], Money(0, "RUB")) == sum(balances[2:], Money(0, "RUB"))
    assert money.from_minor(fresh(wallet).balance, "RUB") == ledger.balance(wallet)


def test_each_currency_has_its_own_accounts_and_each_customer_one_wallet() -> None:
    user = viewer()
    assert ledger.cash("fake", "RUB") == ledger.cash("fake", "RUB") != ledger.cash("fake", "USD")
    assert ledger.wallet(user.pk, "RUB") == ledger.wallet(user.pk, "RUB") != ledger.wallet(viewer().pk, "RUB")


@pytest.mark.parametrize("rubles", ["0", "-1", "0.001"])
def test_B2_nothing_less_than_nothing_and_parts_of_a_kopeck_are_not_booked(rubles: str) -> None:
    with pytest.raises((IntegrityError, money.BadAmount)), transaction.atomic():
        post(ledger.cash("fake", "RUB"), ledger.revenue("RUB"), rubles)


@pytest.mark.django_db(transaction=True)
def test_W3_twenty_debits_at_once_never_take_more_than_there_is() -> None:
    wallet, revenue = ledger.wallet(viewer().pk, "RUB"), ledger.revenue("RUB")
    post(ledger.cash("fake", "RUB"), wallet, "10")
    results = together(20, lambda _: post(wallet, revenue, "3"))
    assert sum(isinstance(result, Transfer) for result in results) == 3
    assert {str(type(result).__name__) for result in results} == {"Transfer", "IntegrityError"}
    assert fresh(wallet).balance == 100
    assert ledger.balance(wallet) == Money(1, "RUB")


@pytest.mark.django_db(transaction=True)
def test_two_wallets_that_pay_each_other_at_once_do_not_lock_each_other_out() -> None:
    wallets = [ledger.wallet(viewer().pk, "RUB") for _ in range(2)]
    for wallet in wallets:
        post(ledger.cash("fake", "RUB"), wallet, "100")
    results = together(12, lambda n: post(wallets[n % 2], wallets[1 - n % 2], "1"))
    assert all(isinstance(result, Transfer) for result in results)
    assert [fresh(wallet).balance for wallet in wallets] == [10_000, 10_000]


@pytest.mark.django_db(transaction=True)
def test_the_house_s_accounts_make_nobody_wait() -> None:
    cash, revenue = ledger.cash("fake", "RUB"), ledger.revenue("RUB")

    def other(_: int) -> Transfer:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '500ms'")
            return post(cash, revenue, "1")

    with transaction.atomic():
        post(cash, revenue, "1")
        assert isinstance(together(1, other)[0], Transfer)


@pytest.mark.django_db(transaction=True)
def test_twenty_first_uses_of_an_account_make_it_once() -> None:
    user = viewer()
    assert len({account.pk for account in together(20, lambda _: ledger.wallet(user.pk, "RUB"))}) == 1
