"""The second guard: what must never be is refused by PostgreSQL, whatever the code above it does."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction

from billing import ledger, money
from billing.models import (
    Account,
    Callback,
    Delivery,
    Event,
    InvoiceLine,
    Payment,
    PaymentMethod,
    Refund,
    RequestKey,
    Transfer,
)
from tests.rows import (
    changed,
    invoice,
    paid,
    payment,
    payment_fields,
    refund_fields,
    refused,
    transfer,
    transfer_fields,
)
from tests.things import now, viewer

pytestmark = pytest.mark.django_db


# --- Payments ---


@pytest.mark.parametrize("first", ["created", "pending", "authorized", "unknown", "succeeded"])
@pytest.mark.parametrize("second", ["created", "pending", "authorized", "unknown", "succeeded"])
def test_M3_an_invoice_has_one_live_or_successful_payment(first: str, second: str) -> None:
    money_of = {"succeeded": {"captured": 29_900, "settled_at": now()}}
    bill = invoice()
    payment(bill, status=first, **money_of.get(first, {}))
    refused(
        "payment_one_live_or_successful",
        Payment,
        **payment_fields(bill, status=second, **money_of.get(second, {})),
    )


@pytest.mark.parametrize("dead", ["failed", "cancelled"])
def test_a_dead_payment_makes_room_for_another(dead: str) -> None:
    bill = invoice()
    payment(bill, status=dead)
    payment(bill, status="pending")


def test_surplus_money_is_booked_beside_the_payment_that_counted() -> None:
    first = paid()
    payment(first.invoice, status="succeeded", captured=29_900, settled_at=now(), surplus=True)


def test_an_acquirer_id_belongs_to_one_payment() -> None:
    payment(acquirer_payment_id="pay_1")
    refused("payment_acquirer_id", Payment, **payment_fields(invoice(), acquirer_payment_id="pay_1"))


def test_a_payment_is_over_something() -> None:
    refused("payment_amount_positive", Payment, **payment_fields(invoice(), amount=0))


def test_a_payment_captures_no_more_than_was_asked() -> None:
    changed("payment_captured_within_amount", paid(), captured=29_901)


def test_a_payment_without_success_has_no_money_and_one_with_success_has() -> None:
    refused("payment_succeeded_has_money", Payment, **payment_fields(invoice(), status="pending", captured=1))
    refused("payment_succeeded_has_money", Payment, **payment_fields(invoice(), status="succeeded"))


def test_a_payment_is_in_its_invoice_s_currency() -> None:
    with pytest.raises(IntegrityError, match="payment_invoice_currency"), transaction.atomic():
        payment(currency="USD")


def test_M3_what_was_captured_again_counts_for_nothing_but_a_refund() -> None:
    first = paid()
    money_in = {"status": "succeeded", "captured": 29_900, "settled_at": now(), "again_of": first}
    refused("payment_captured_again_is_surplus", Payment, **payment_fields(invoice(), **money_in))
    payment(first.invoice, surplus=True, **money_in)


def test_B7_no_more_is_charged_back_than_was_captured() -> None:
    done = paid()
    changed("payment_charged_back_within_captured", done, charged_back=29_901)
    changed("payment_charged_back_within_captured", done, charged_back=-1)


# --- Refunds ---


def test_B7_what_was_charged_back_is_not_refunded_as_well() -> None:
    done = paid()
    Payment.objects.filter(pk=done.pk).update(charged_back=20_000)
    refused("refund_within_what_is_left", Refund, **refund_fields(done, amount=9_901))
    refund = Refund.objects.create(**refund_fields(done, amount=9_900))
    Payment.objects.filter(pk=done.pk).update(charged_back=29_900)  # it has happened: never refused
    Refund.objects.filter(pk=refund.pk).update(status="pending")
    Refund.objects.filter(pk=refund.pk).update(status="failed")
    changed("refund_within_what_is_left", refund, status="succeeded", settled_at=now())


def test_M2_refunds_never_exceed_what_was_captured() -> None:
    done = paid()
    Refund.objects.create(**refund_fields(done, amount=20_000))
    refused("payment_refunded_within_captured", Refund, **refund_fields(done, amount=9_901))
    Refund.objects.create(**refund_fields(done, amount=9_900))
    done.refresh_from_db()
    assert done.refunded == 29_900


def test_M2_a_failed_refund_counts_no_more_and_counts_again_when_it_was_made_after_all() -> None:
    done = paid()
    refund = Refund.objects.create(**refund_fields(done, amount=20_000))
    Refund.objects.filter(pk=refund.pk).update(status="failed")
    done.refresh_from_db()
    assert done.refunded == 0
    Refund.objects.create(**refund_fields(done, amount=20_000))
    changed("payment_refunded_within_captured", refund, status="succeeded", settled_at=now())


def test_a_payment_that_took_no_money_gives_none_back() -> None:
    refused("payment_refunded_within_captured", Refund, **refund_fields(payment(status="pending")))


def test_a_refund_keeps_its_amount_and_its_payment_and_is_never_deleted() -> None:
    done = paid()
    refund = Refund.objects.create(**refund_fields(done))
    changed("keeps its amount", refund, amount=1)
    changed("keeps its amount", refund, payment_id=paid().pk)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).delete()


def test_a_refund_is_above_zero_and_a_made_one_has_a_time() -> None:
    refused("refund_amount_positive", Refund, **refund_fields(paid(), amount=0))
    refused("refund_succeeded_has_a_time", Refund, **refund_fields(paid(), status="succeeded"))


def test_a_request_key_makes_one_refund() -> None:
    Refund.objects.create(**refund_fields(paid(), request_key="once"))
    refused("request_key", Refund, **refund_fields(paid(), request_key="once"))


def test_a_refund_is_in_its_payment_s_currency() -> None:
    with pytest.raises(IntegrityError, match="refund_payment_currency"), transaction.atomic():
        Refund.objects.create(**refund_fields(paid(), currency="USD"))


# --- Ledger ---


def test_B2_a_transfer_is_never_changed_or_deleted() -> None:
    booked = transfer()
    changed("never changed", booked, amount=1)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Transfer.objects.filter(pk=booked.pk).delete()


@pytest.mark.parametrize("amount", [0, -1])
def test_B2_a_transfer_moves_something(amount: int) -> None:
    refused("transfer_amount_positive", Transfer, **transfer_fields(amount=amount))


def test_B2_a_transfer_needs_two_accounts() -> None:
    cash = ledger.cash("sandbox", "RUB")
    refused("transfer_two_accounts", Transfer, **transfer_fields(debit=cash, credit=cash))


def test_B2_a_thing_is_booked_once() -> None:
    transfer(reference="payment:1")
    refused("reference", Transfer, **transfer_fields(reference="payment:1"))


@pytest.mark.parametrize("side", ["debit", "credit"])
def test_B2_a_transfer_stays_in_one_currency(side: str) -> None:
    with pytest.raises(IntegrityError, match=f"transfer_{side}_currency"), transaction.atomic():
        transfer(**{side: ledger.suspense("USD")})


def test_W3_a_wallet_never_goes_below_zero_and_equals_its_transfers() -> None:
    wallet = ledger.wallet(viewer().pk, "RUB")
    transfer(credit=wallet, amount=500)
    transfer(debit=wallet, credit=ledger.revenue("RUB"), amount=200)
    wallet.refresh_from_db()
    assert wallet.balance == 300 == money.to_minor(ledger.balance(wallet))
    refused(
        "account_never_below_zero",
        Transfer,
        **transfer_fields(debit=wallet, credit=ledger.revenue("RUB"), amount=301),
    )


def test_the_house_s_accounts_belong_to_nobody_and_keep_no_balance() -> None:
    refused("account_wallets_are_customers", Account, code="w", kind="wallet", currency="RUB")
    refused("account_wallets_are_customers", Account, code="c", kind="cash", currency="RUB", balance=1)


def test_an_event_is_never_changed() -> None:
    event = Event.objects.create(kind="x.happened", subject_type="x", subject_id=uuid.uuid4(), actor="system", at=now())
    changed("never changed", event, kind="x.did_not")


# --- Once only ---


def test_a_callback_is_stored_once() -> None:
    fields = {"acquirer": "sandbox", "dedupe_key": "1", "next_attempt_at": now(), "received_at": now(), "body": "{}"}
    Callback.objects.create(**fields)
    refused("callback_once", Callback, **fields)


def test_a_request_key_is_one_request() -> None:
    fields = {"user": viewer(), "key": "k", "leased_until": now()}
    RequestKey.objects.create(**fields)
    refused("request_key_once", RequestKey, **fields)


def test_an_event_goes_to_a_handler_once() -> None:
    event = Event.objects.create(kind="x.happened", subject_type="x", subject_id=uuid.uuid4(), actor="s", at=now())
    Delivery.objects.create(event=event, handler="h", next_attempt_at=now())
    refused("delivery_once_per_handler", Delivery, event=event, handler="h", next_attempt_at=now())


def test_a_card_is_saved_once_until_it_is_removed() -> None:
    fields = {
        "user": viewer(),
        "acquirer": "sandbox",
        "token": "t",
        "token_digest": "d",
        "exp_month": 12,
        "exp_year": 2030,
        "created_at": now(),
    }
    card = PaymentMethod.objects.create(**fields)
    refused("payment_method_once", PaymentMethod, **fields)
    PaymentMethod.objects.filter(pk=card.pk).update(removed_at=now())
    PaymentMethod.objects.create(**fields)
    refused("payment_method_expiry_is_a_month", PaymentMethod, **{**fields, "token_digest": "e", "exp_month": 13})


# --- Invoices ---


def test_an_invoice_is_never_below_zero_and_paid_exactly_when_it_has_a_time() -> None:
    bill = invoice()
    changed("invoice_total_not_negative", bill, total=-1)
    changed("invoice_paid_when_paid", bill, status="paid")
    changed("invoice_paid_when_paid", bill, paid_at=now())


def test_an_invoice_is_in_its_account_s_currency() -> None:
    with pytest.raises(IntegrityError, match="invoice_account_currency"), transaction.atomic():
        invoice(currency="USD")


def test_an_invoice_line_adds_up() -> None:
    fields = {"invoice": invoice(), "product": "p", "description": "d", "quantity": 3, "unit_price": 1999}
    refused("invoice_line_adds_up", InvoiceLine, **fields, discount=0, amount=5998)
    refused("invoice_line_adds_up", InvoiceLine, **fields, discount=6000, amount=-3)
    InvoiceLine.objects.create(**fields, discount=97, amount=5900)
    refused("invoice_line_position", InvoiceLine, **fields, discount=97, amount=5900)
