"""Subscriptions by the thousand for the sweeps: by the month with a card that renews them, and by the hour.

Some are due to be renewed, ended or charged; the others stand by, their times far ahead, as the sweeps must pass them
over. No audit is asked about them: of what has led up to a row only what the sweeps read is there.
"""

from __future__ import annotations

from functools import cache

from benchmarks import fill
from benchmarks.bank import PRICE
from benchmarks.fill import into, shop
from billing import ledger
from billing.models import Account, PaymentMethod
from subscriptions.models import Plan, Price

CHUNK = 50_000
RATE = 6_000  # minor units an hour
HELD = 10_000_000  # minor units in a wallet: it never runs low here
LATER = "now() + (2 + n % 26) * interval '1 day'"


def stands_by(count: int) -> None:
    """So many subscriptions by the month and as many by the hour with nothing due for a day at least."""
    hourly()
    for begin in range(0, count, CHUNK):
        chunk = min(CHUNK, count - begin)
        fill.filled(chunk, (lambda: _monthly(LATER, charge=LATER, action=LATER), _term), trusted=True)
        fill.filled(chunk, (lambda: _by_the_hour(LATER),), trusted=True)


def to_renew(count: int) -> list[fill.Lot]:
    """So many whose term is over, and whose next one is to be billed and charged now."""
    patience = "now() + interval '15 minutes'"
    return fill.filled(count, (lambda: _monthly("now()", charge="now()", action=patience), _term))


def to_end(count: int) -> list[fill.Lot]:
    """So many whose term is over, with no card to renew it."""
    ended = "now() - interval '1 minute'"
    return fill.filled(count, (lambda: _monthly(ended, charge="NULL", action=ended), _term))


def to_charge(count: int) -> list[fill.Lot]:
    """So many by the hour whose last hour is to be charged now."""
    hourly()
    return fill.filled(count, (lambda: _by_the_hour("now()"),))


@cache
def hourly() -> tuple[Plan, Price]:
    """The tariff by the hour."""
    shop()
    plan, _ = Plan.objects.get_or_create(code="hour", defaults={"name": "By the hour", "months": 0, "hourly": True})
    price, _ = Price.objects.get_or_create(plan=plan, defaults={"amount": RATE, "starts_at": shop().price.starts_at})
    return plan, price


@cache
def _token() -> str:
    """A card's token as it is stored; one for all."""
    return str(PaymentMethod._meta.get_field("token").get_prep_value("tok_benchmark"))


@cache
def revenue() -> Account:
    return ledger.revenue("RUB")


def _monthly(ends: str, *, charge: str, action: str) -> None:
    renews = charge != "NULL"
    if renews:
        into(
            "billing_paymentmethod",
            id="payment_id",
            user_id="user_id",
            acquirer="'sandbox'",
            token=f"'{_token()}'",
            token_digest="md5(payment_id::text)",
            mask="'4242'",
            brand="'visa'",
            exp_month="12",
            exp_year="2038",
            created_at="now()",
        )
    into(
        "subscriptions_subscription",
        **_subscription(*shop()[:2]),
        auto_renew=str(renews),
        renewal_consent_at="now()" if renews else "NULL",
        method_id="payment_id" if renews else "NULL",
        anchor_at=f"{ends} - interval '1 month'",
        valid_till=ends,
        access_until=f"{ends} + interval '2 days'",
        next_action_at=action,
        next_charge_at=charge,
    )


def _term() -> None:
    """The invoice and the term that runs."""
    into(
        "billing_invoice",
        id="invoice_id",
        created_at="now()",
        updated_at="now()",
        user_id="user_id",
        number="number",
        status="'paid'",
        purpose="'subscription'",
        account_id=str(revenue().pk),
        total=str(PRICE),
        currency="'RUB'",
        paid_at="now()",
    )
    into(
        "subscriptions_period",
        "lot JOIN subscriptions_subscription row ON row.id = lot.subscription_id",
        subscription_id="subscription_id",
        number="1",
        months="1",
        refund_policy="'unused_months'",
        plan_id="plan_id",
        price_id="price_id",
        invoice_id="invoice_id",
        starts_at="anchor_at",
        ends_at="valid_till",
        created_at="row.created_at",
    )


def _by_the_hour(tick: str) -> None:
    into(
        "billing_account",
        kind="'wallet'",
        code="'wallet:' || user_id || ':RUB'",
        currency="'RUB'",
        balance=str(HELD),
        created_at="now()",
        user_id="user_id",
    )
    begun = "now() - interval '1 hour'"
    into(
        "subscriptions_subscription",
        **_subscription(*hourly()),
        auto_renew="false",
        anchor_at=begun,
        valid_till=begun,
        access_until=f"{begun} + ceil({HELD} * 3600000000.0 / {RATE})::float8 * interval '1 microsecond'",
    )
    into(
        "subscriptions_meter",
        "lot JOIN billing_account account ON account.code = 'wallet:' || lot.user_id || ':RUB'",
        subscription_id="subscription_id",
        account_id="account.id",
        rate=str(RATE),
        since=begun,
        billed_to=begun,
        carry="0",
        charged="0",
        periods="0",
        next_tick_at=tick,
    )


def _subscription(plan: Plan, price: Price) -> dict[str, str]:
    row = {"id": "subscription_id", "user_id": "user_id", "plan_id": str(plan.pk), "price_id": str(price.pk)}
    texts = {"cancel_reason": "''", "cancel_key": "''"}
    return row | texts | {"created_at": "now()", "updated_at": "now()", "status": "'active'", "trial": "false"}
