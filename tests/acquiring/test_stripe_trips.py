"""What is Stripe's own, against the local bank."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from moneyed import Money

from acquiring.backends.stripe import Stripe
from acquiring.base import NO_CLUE, BadCallback
from acquiring.types import Clue, Decline, Outcome, Status, Subject
from tests.acquiring.far import PRICE, charge, refund
from tests.acquiring.shop import Shop
from tests.acquiring.stripe_far import StripeFar, backend, lately, sdk
from tests.acquiring.test_http import answering, server
from tests.local_bank import LocalBank


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> StripeFar:
    return StripeFar(bank, shop)


@pytest.fixture
def acquirer(bank: LocalBank, far: StripeFar) -> Stripe:
    return backend(bank)


def look(acquirer: Stripe, of: object, reference: str = "") -> Outcome:
    page = of.redirect_url if isinstance(of, Outcome) else ""
    return acquirer.fetch(Subject.PAYMENT, of.our_id, reference, Clue(lately(), PRICE, page))


def token(acquirer: Stripe, bank: LocalBank, card: str = "4242424242424242") -> str:
    opened = acquirer.checkout(charge(save_card=True))
    bank.pay(opened.redirect_url, card)
    return look(acquirer, opened).card.token


# --- Pages ---


def test_a_page_with_3ds_is_paid_by_the_code(acquirer, bank):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url, "4000000000003220")
    assert look(acquirer, opened).status is Status.SUCCEEDED


def test_a_second_card_pays_with_the_id_of_the_first(acquirer, bank, far):
    opened = acquirer.checkout(charge(save_card=True))
    assert opened.reference == ""
    bank.pay(opened.redirect_url, "4000000000009995")
    tried = look(acquirer, opened)
    assert (tried.status, tried.redirect_url) == (Status.PENDING, opened.redirect_url)
    assert tried.reference.startswith("pi_")
    assert look(acquirer, opened, tried.reference).status is Status.PENDING
    bank.pay(opened.redirect_url)
    paid = look(acquirer, opened)
    assert (paid.status, paid.reference) == (Status.SUCCEEDED, tried.reference)
    notice = acquirer.parse("", *parts(far, "payment_intent.payment_failed"))
    assert (notice.outcome.status, notice.trusted) == (Status.PENDING, False)


def test_a_page_that_was_tried_in_vain_is_closed_by_its_payment(acquirer, bank, far):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url, "4000000000000002")
    tried = look(acquirer, opened)
    assert acquirer.void(opened.our_id, tried.reference).status is Status.CANCELLED
    assert far.moved() == []
    notice = acquirer.parse("", *parts(far, "checkout.session.expired"))
    assert (notice.outcome.status, notice.outcome.our_id) == (Status.CANCELLED, opened.our_id)


def test_an_open_page_is_found_without_its_address(acquirer):
    order = charge()
    opened = acquirer.checkout(order)
    found = look(acquirer, order)
    assert (found.status, found.redirect_url) == (Status.PENDING, opened.redirect_url)
    assert acquirer.void(order.our_id, "", Clue(lately(), PRICE)).status is Status.CANCELLED
    assert look(acquirer, order).status is Status.CANCELLED


@pytest.mark.parametrize(("minutes", "told"), [(10, False), (45, True), (2000, False)])
def test_a_page_ends_when_we_say_only_where_stripe_allows_that(acquirer, bank, minutes, told):
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    opened = acquirer.checkout(charge(expires_at=ends))
    assert opened.status is Status.PENDING
    expires = opened.raw["expires_at"]
    assert (expires == int(ends.timestamp())) is told


def test_without_a_clue_nothing_is_claimed_to_be_absent(acquirer):
    for subject in (Subject.PAYMENT, Subject.REFUND):
        found = acquirer.fetch(subject, "o-1", "", NO_CLUE)
        assert (found.status, found.absent) == (Status.UNKNOWN, False)
    assert acquirer.void("o-1", "", NO_CLUE).status is Status.UNKNOWN


# --- Saved cards ---

NEXT_STEPS = {
    "do_not_honor": Decline.RETRY_LATER,
    "insufficient_funds": Decline.RETRY_LATER,
    "limit_exceeded": Decline.RETRY_LATER,
    "issuer_unavailable": Decline.RETRY_LATER,
    "processing_error": Decline.RETRY_LATER,
    "expired_card": Decline.ANOTHER_CARD,
    "unknown_token": Decline.ANOTHER_CARD,
    "authentication_required": Decline.CUSTOMER_ACTION,
    "3ds_failed": Decline.CUSTOMER_ACTION,
    "stolen_card": Decline.STOP,
    "lost_card": Decline.STOP,
    "merchant_misconfigured": Decline.OUR_FAULT,
}


def test_a_declined_charge_is_final_and_says_what_to_do_next(acquirer, bank, far):
    card = token(acquirer, bank)
    for code, group in NEXT_STEPS.items():
        order = charge(token=card)
        bank.fault(f"decline:{code}")
        outcome = acquirer.charge(order)
        assert (outcome.status, outcome.decline) == (Status.FAILED, group)
        assert outcome.code
        assert outcome.message
        found = look(acquirer, order)
        assert (found.status, found.decline, found.reference) == (Status.FAILED, group, outcome.reference)
    assert len(far.moved()) == 1
    notice = acquirer.parse("", *parts(far, "payment_intent.payment_failed"))
    assert (notice.outcome.status, notice.trusted) == (Status.FAILED, True)


def test_a_card_that_stripe_does_not_know_is_replaced(acquirer, bank):
    customer, _, method = token(acquirer, bank).partition(":")
    for card in (f"{customer}:pm_nobody", f"cus_other:{method}"):
        assert acquirer.charge(charge(token=card)).decline is Decline.ANOTHER_CARD


def test_a_card_to_keep_is_asked_for_when_the_callback_comes(acquirer, bank, far):
    opened = acquirer.checkout(charge(save_card=True))
    bank.pay(opened.redirect_url)
    notice = acquirer.parse("", *parts(far, "payment_intent.succeeded"))
    assert (notice.trusted, notice.outcome.card) == (False, None)
    card = look(acquirer, opened, notice.outcome.reference).card
    assert card.token.startswith("cus_")
    assert ":pm_" in card.token


def test_yen_have_no_smaller_unit(acquirer, bank, far):
    yen = Money(500, "JPY")
    opened = acquirer.checkout(charge(amount=yen))
    bank.pay(opened.redirect_url)
    assert look(acquirer, opened).amount == yen
    assert far.moved()[0][2] == 500


# --- Behind our back ---


def test_a_refund_made_in_the_dashboard_tells_of_its_payment(acquirer, bank, far):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url)
    paid = look(acquirer, opened)
    sdk(bank).v1.refunds.create({"payment_intent": paid.reference, "amount": 100})
    notice = acquirer.parse("", *parts(far, "refund.created"))
    assert (notice.subject, notice.payment_reference, notice.outcome.our_id) == (Subject.REFUND, paid.reference, "")
    rung = acquirer.parse("", *parts(far, "charge.refunded"))
    assert (rung.trusted, rung.outcome.reference) == (False, paid.reference)


def test_a_dispute_is_told_and_stands_in_the_statement(acquirer, bank, far):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url)
    paid = look(acquirer, opened)
    bank.charge_back(f"pay_{paid.reference.removeprefix('pi_')}", 10000)
    notice = acquirer.parse("", *parts(far, "charge.dispute.created"))
    assert (notice.outcome.reference, notice.outcome.charged_back) == (paid.reference, Money("100.00", "RUB"))
    lines = list(acquirer.statement(datetime.now(UTC).date()))
    assert [line.outcome.charged_back for line in lines] == [Money("100.00", "RUB"), None]
    assert {line.outcome.reference for line in lines} == {paid.reference}


def test_an_order_captured_twice_is_two_payments_of_one_order(acquirer, bank, far):
    opened = acquirer.checkout(charge())
    bank.fault("captured_twice")
    bank.pay(opened.redirect_url)
    lines = [line.outcome for line in acquirer.statement(datetime.now(UTC).date())]
    assert [line.our_id for line in lines] == [opened.our_id] * 2
    first, second = {line.reference for line in lines}
    for reference in (first, second):
        assert acquirer.fetch(Subject.PAYMENT, "", reference).our_id == opened.our_id


def test_a_pending_refund_is_pending_until_it_is_told(acquirer, bank, far):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url)
    paid = look(acquirer, opened)
    bank.fault("refund_pending:86000")
    order = refund(paid)
    assert acquirer.refund(order).status is Status.PENDING
    clue = Clue(payment_reference=paid.reference)
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", clue).status is Status.PENDING
    bank.fault("refund_declined")
    other = acquirer.refund(replace(order, our_id="r-2", amount=Money("1.00", "RUB")))
    assert other.decline is Decline.OUR_FAULT  # the whole sum is promised already


def test_a_refund_that_the_cards_bank_does_not_take_has_failed(acquirer, bank, far):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url)
    bank.fault("refund_declined")
    outcome = acquirer.refund(refund(look(acquirer, opened)))
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.RETRY_LATER, "declined")
    notice = acquirer.parse("", *parts(far, "refund.failed"))
    assert notice.outcome.status is Status.FAILED


def test_a_statement_of_many_pages_is_read_to_its_end(acquirer, bank):
    card = token(acquirer, bank)
    orders = [charge(token=card) for _ in range(105)]
    for order in orders:
        acquirer.charge(order)
    listed = [line.outcome.our_id for line in acquirer.statement(datetime.now(UTC).date())]
    assert len(listed) == len(set(listed)) == 106
    assert look(acquirer, orders[0]).status is Status.SUCCEEDED  # on the second page of what was made since


# --- The door ---


def test_a_wrong_key_is_our_fault(bank):
    stranger = Stripe("sk_test_wrong", ["x"], f"{bank.api_url}/stripe", 5)
    outcome = stranger.checkout(charge())
    assert (outcome.status, outcome.decline) == (Status.FAILED, Decline.OUR_FAULT)
    found = stranger.fetch(Subject.PAYMENT, "any", "pi_1")
    assert (found.status, found.absent) == (Status.UNKNOWN, False)


def test_a_404_that_is_not_stripes_own_word_is_not_absence():
    with server(answering("404 Not Found", b"{}")) as (url, _):
        lost = Stripe("sk", ["c"], url, 1).fetch(Subject.PAYMENT, "o-1", "pi_1")
    assert (lost.status, lost.absent) == (Status.UNKNOWN, False)


def test_an_old_callback_secret_verifies_until_it_is_removed(acquirer, bank, far):
    bank.pay(acquirer.checkout(charge()).redirect_url)
    headers, body = parts(far, "payment_intent.succeeded")
    both = Stripe("sk", ["newer", bank.callback_secret])
    assert both.parse("", headers, body).outcome.status is Status.SUCCEEDED
    with pytest.raises(BadCallback):
        Stripe("sk", ["newer"]).parse("", headers, body)


@pytest.mark.parametrize(
    "changes",
    [{"secret_key": ""}, {"url": ""}, {"callback_secrets": []}, {"callback_secrets": [""]}, {"callback_secrets": "a"}],
)
def test_an_acquirer_without_its_secrets_is_not_made(changes):
    with pytest.raises(ValueError, match="needs"):
        Stripe(**({"secret_key": "sk", "callback_secrets": ["c"]} | changes))


def parts(far: StripeFar, kind: str) -> tuple[dict[str, str], bytes]:
    delivery = far.event(kind)
    return delivery.headers, delivery.body
