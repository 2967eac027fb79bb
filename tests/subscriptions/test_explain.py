"""B3: each sum, refund and access is told in sentences, the same for the customer, for support and over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from acquiring.types import Decline, Outcome
from billing import cards, payments, refunds, wallets
from billing.models import InvoiceLine, Payment, Refund
from subscriptions import cancellation, explain, metering, offers, price_moves, prices, renewals
from subscriptions.models import Plan, Subscription
from tests import things
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.subscriptions import hourly
from tests.subscriptions.renewing import Renewing, declined
from tests.subscriptions.terms import at, bought, chosen, fake_bank, news, rub

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")
DAY = timedelta(days=1)


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="Monthly")
    things.plan("year", 12, 269_900, name="One year")
    return fake_bank(settings)


def told(thing: Any, moment: Any = MORNING) -> str:
    """The sentences, with plain spaces."""
    found = explain.explain(thing, at=moment)
    assert all(sentence.endswith(".") for sentence in found)
    return " ".join(found).replace("\xa0", " ")


def only_payment() -> Payment:
    return Payment.objects.get(surplus=False)


def test_B3_a_payment_tells_its_term_price_card_and_acquirer(bank: FakeAcquirer) -> None:
    bought(bank, "year", MORNING)
    text = told(only_payment())
    assert text.startswith("2 699.00 ₽ for One year, 12 months (invoice ")
    assert "by Visa •••• 4242 through fake. Paid on 31 January 2026, 12:00 MSK." in text
    assert "term 1 of One year: 12 months, from 31 January 2026, 12:00 MSK to 31 January 2027, 12:00 MSK." in text
    assert "The price of 2 699.00 ₽ for 12 months counts since 1 January 2020." in text


def test_B3_a_payment_that_waits_or_failed_says_so_and_which_try_it_is(bank: FakeAcquirer) -> None:
    begun = chosen("month", MORNING)
    assert "Waiting for the customer on the bank's page. It pays for term 1" in told(begun.payment)
    assert "which begins when it is paid" in told(begun.payment)
    Payment.objects.filter(pk=begun.payment.pk).update(
        status="failed", decline=Decline.ANOTHER_CARD, decline_message="Expired card."
    )
    again = chosen("month", MORNING + DAY / 1000, begun.subscription.user)
    bank.pay(again.payment.pk)
    payments.check(again.payment.pk, at=MORNING + DAY / 500)
    first, second = Payment.objects.order_by("created_at")
    assert "Not paid: Expired card." in told(first)
    assert "It is try 1 of 2 to pay this invoice; it is charged once at most. Another one has paid it." in told(first)
    assert "It is try 2 of 2 to pay this invoice; it is charged once at most." in told(second)


@pytest.mark.parametrize("why", [Decline.STOP, Decline.OUR_FAULT, Decline.NOT_SENT])
def test_B3_words_of_the_bank_that_help_nobody_are_not_repeated(bank: FakeAcquirer, why: Decline) -> None:
    begun = chosen("month", MORNING)
    Payment.objects.update(status="failed", decline=why, decline_message="suspected fraud, code 59")
    assert "fraud" not in told(Payment.objects.get(pk=begun.payment.pk))


def test_B3_a_renewal_tells_the_consent_and_the_announced_price(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    price = prices.add(Plan.objects.get(code="month"), rub(399), starts_at=MORNING, at=MORNING)
    wanted = price_moves.Proposal(price.plan, price, at("2026-03-10T00:00"), "secret reason")
    move = price_moves.propose(wanted, actor="boss", at=MORNING)
    price_moves.announce(move.pk, actor="boss", at=MORNING)
    vera.go(MORNING)
    assert "What is billed from 10 March 2026 on costs 399.00 ₽, as was announced by mail." in told(vera.row)
    vera.go(END)
    vera.go(at("2026-03-31T12:00"))
    text = told(vera.payments[-1])
    assert "399.00 ₽ for" in text and "term 3 of Monthly" in text
    assert "counts since 31 January 2026. Before that it was 299.00 ₽; the change was announced by mail on" in text
    assert "charged by itself, to the saved card, as the customer agreed on 31 January 2026." in text
    assert "secret reason" not in text
    assert "announced" not in told(vera.payments[1]) and "299.00 ₽ for 1 month counts" in told(vera.payments[0])


def test_B3_a_discount_of_the_line_is_told(bank: FakeAcquirer) -> None:
    bought(bank, "month", MORNING)
    InvoiceLine.objects.update(unit_price=39_900, discount=10_000, description="Monthly, 1 month (SPRING)")
    text = told(only_payment())
    assert "Monthly, 1 month (SPRING) costs 399.00 ₽; 100.00 ₽ is taken off, so 299.00 ₽ is left to pay." in text


def test_B3_a_payment_from_the_wallet_and_a_top_up(bank: FakeAcquirer) -> None:
    user = things.viewer()
    hourly.fill(user, 50_000, MORNING)
    begun = chosen("month", MORNING, user)
    payments.cancel(begun.payment.pk, at=MORNING)
    wallets.pay(begun.payment.invoice_id, actor="test", at=MORNING)
    news(MORNING)
    paid = Payment.objects.get(acquirer="wallet")
    assert "from the wallet. Paid on 31 January 2026" in told(paid) and "term 1 of Monthly" in told(paid)
    cancellation.cancel(Subscription.objects.get().pk, actor="test", at=MORNING + timedelta(minutes=1))
    assert "goes back the way it came, to the wallet. Made on" in told(Refund.objects.get(payment=paid))


def test_B3_a_refund_in_part_tells_what_is_left_and_never_the_staff_s_reason(bank: FakeAcquirer) -> None:
    vera = bought(bank, "year", MORNING)
    clerk = things.viewer()
    paid = only_payment()
    part = refunds.request(
        paid.pk, amount=rub(99), reason="he is a nuisance", actor="clerk", at=MORNING + DAY, requested_by=clerk.pk
    )
    text = told(part)
    assert "99.00 ₽ of the 2 699.00 ₽ paid on 31 January 2026, 12:00 MSK (invoice" in text
    assert "to Visa •••• 4242 through fake. Made on 1 February 2026, 12:00 MSK. It was given back by us." in text
    assert "Of that payment, 99.00 ₽ goes back in all and 2 600.00 ₽ is left." in text
    assert "nuisance" not in text + told(paid) + told(vera)
    assert "Given back: 99.00 ₽ (made)." in told(Payment.objects.get(pk=paid.pk))


def test_B3_the_refund_of_a_cancellation_tells_its_reckoning(bank: FakeAcquirer) -> None:
    vera = bought(bank, "year", MORNING)
    done = cancellation.cancel(vera.pk, actor="vera", at=at("2026-03-15T12:00"), reason="bored")
    assert "10 of 12 months have not begun." in told(done.refund) and "bored" not in told(done.refund)


def test_B3_a_surplus_and_its_refund_say_that_nobody_owed_it(bank: FakeAcquirer) -> None:
    begun = chosen("month", MORNING)
    payments.cancel(begun.payment.pk, at=MORNING)
    again = chosen("month", MORNING + DAY / 1000, begun.subscription.user)
    bank.pay(again.payment.pk)
    payments.check(again.payment.pk, at=MORNING + DAY / 500)
    bank.pay(begun.payment.pk)
    payments.check(begun.payment.pk, at=MORNING + DAY / 400)
    news(MORNING + DAY / 300)
    extra = Payment.objects.get(surplus=True)
    assert "It came on top of what was owed, so it is given back." in told(extra) and "term 1" not in told(extra)
    back = extra.refunds.get()
    assert told(back).startswith("All of the 299.00 ₽ paid on") and "came on top of what was owed" in told(back)


def test_B3_an_offer_tells_its_quote_and_which_price_it_is(bank: FakeAcquirer) -> None:
    text = told(offers.find("year", at=MORNING))
    assert text == "One year, 12 months: 2 699.00 ₽. The price of 2 699.00 ₽ for 12 months counts since 1 January 2020."


def test_B3_access_while_it_runs_in_grace_and_after(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    assert told(vera.user) == (
        "Monthly is paid to 28 February 2026, 12:00 MSK. Access (cinema) goes on to 2 March 2026, 12:00 MSK: 2 days of "
        "grace follow the term. It renews by itself, as agreed on 31 January 2026: 299.00 ₽ by Visa •••• 4242 on "
        "28 February 2026, 12:00 MSK."
    )
    bank.program("charge", declined(Decline.STOP))
    vera.go(END)
    vera.go(END + DAY / 24)
    grace = told(vera.user, vera.at)
    assert "the next term is not paid yet: these are the days of grace. 299.00 ₽ did not go through on 28" in grace
    assert "February 2026, 12:00 MSK: the bank refused. Access (cinema) goes on to 2 March" in grace
    assert "It should renew by itself, but nothing more is charged to its card." in grace
    vera.go(END + 2 * DAY)
    assert told(vera.user, vera.at) == (
        "Monthly was paid to 28 February 2026, 12:00 MSK and is over. 299.00 ₽ did not go through on 28 February 2026, "
        "12:00 MSK: the bank refused. So it gives no access now."
    )


def test_B3_a_declined_next_term_is_told_before_the_term_counts_as_unpaid(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    bank.program("charge", declined(Decline.RETRY_LATER))
    renewals.bill_due(at=END, limit=9)
    renewals.charge(vera.id, at=END)
    assert vera.row.status == "active"
    assert "299.00 ₽ did not go through on 28 February 2026, 12:00 MSK: Not enough money. Access" in told(
        vera.user, END
    )


def test_B3_a_term_that_nobody_charged_in_time_says_so(bank: FakeAcquirer) -> None:
    """The sweeps stood still from before its end until the grace was over."""
    vera = Renewing(bank, "month", MORNING)
    vera.go(END + 40 * DAY)
    assert vera.row.status == "expired" and vera.taken == 29_900
    assert told(vera.user, vera.at).endswith(
        "It should have renewed by itself, but nothing was charged for the next term in time."
    )
    cards.remove(vera.card.pk, vera.user.pk, at=vera.at)
    assert told(vera.user, vera.at).endswith("but there was no card that could be charged.")


def test_B3_a_charge_that_is_known_too_late_is_not_said_to_be_none(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    bank.program("charge", Fault.LOSE_ANSWER)
    vera.go(END)
    bank.program("fetch", *[Outcome.unknown("no answer")] * 9)
    vera.go(END + 3 * DAY)
    assert vera.row.status == "expired" and vera.payments[-1].surplus
    assert "nothing was charged" not in told(vera.user, vera.at)


def test_B3_access_that_is_cancelled_awaited_paused_or_was_never_there(bank: FakeAcquirer) -> None:
    user = things.viewer()
    assert told(user) == "There is no subscription, so there is no access."
    chosen("month", MORNING, user)
    assert told(user) == "Monthly begins when 299.00 ₽ is paid; until then it gives no access."
    vera = bought(bank, "year", MORNING)
    cancellation.cancel(vera.pk, actor="vera", at=at("2026-02-15T12:00"), reason="bored")
    text = told(vera.user, at("2026-02-16T12:00"))
    assert text.startswith(
        "One year was cancelled on 15 February 2026, 12:00 MSK; what is left of it goes on to its end."
    )
    assert "goes on to 28 February 2026, 12:00 MSK." in text and "bored" not in text
    assert "nothing is left of it. So it gives no access now." in told(vera.user, at("2026-03-16T12:00"))
    resting = bought(bank, "year", MORNING)
    Subscription.objects.filter(pk=resting.pk).update(
        status="paused", access_until=MORNING + DAY, paused_at=MORNING + DAY
    )
    assert told(resting.user, MORNING + 2 * DAY) == (
        "One year is paused since 1 February 2026, 12:00 MSK; its end, 31 January 2027, 12:00 MSK, moves by each whole "
        "day of rest. So it gives no access now."
    )


def test_B3_by_the_hour_the_wallet_tells_how_long(bank: FakeAcquirer) -> None:
    hourly.tariff(kopecks=1_000)
    row = hourly.begun(5_000, at=MORNING)
    assert told(row.user) == (
        "Hourly costs 10.00 ₽ an hour, taken from the wallet for the time that it runs. The wallet holds 50.00 ₽: "
        "access goes on to 31 January 2026, 17:00 MSK."
    )
    hourly.sweep(MORNING + 6 * hourly.HOUR)
    assert "The wallet is empty: there is no access and nothing is charged" in told(row.user, MORNING + DAY)
    metering.cancel(row.pk, actor="test", at=MORNING + DAY)
    assert "it gives no access." in told(row.user, MORNING + 2 * DAY)


def test_B3_customer_and_support_and_api_read_the_same(bank: FakeAcquirer, client: Client) -> None:
    vera = bought(bank, "year", things.now())
    paid = only_payment()
    sentences = explain.explain(paid, at=things.now())
    access = explain.explain(User.objects.get(pk=vera.user_id), at=things.now())
    client.force_login(vera.user)
    page, account = client.get(f"/payments/{paid.pk}/").text, client.get("/account/").text
    assert all(f"<li>{_safe(sentence)}</li>" in page for sentence in sentences)
    assert all(f"<li>{_safe(sentence)}</li>" in account for sentence in access)
    root = User.objects.create_superuser("root@example.org", "secret-enough")
    client.force_login(root)
    assert all(_safe(one) in client.get(f"/admin/billing/payment/{paid.pk}/change/").text for one in sentences)
    assert all(_safe(one) in client.get(f"/admin/subscriptions/subscription/{vera.pk}/change/").text for one in access)
    refund = refunds.request(paid.pk, amount=rub(1), reason="x", actor="test", at=things.now())
    refund_page = client.get(f"/admin/billing/refund/{refund.pk}/change/").text
    assert all(_safe(one) in refund_page for one in explain.explain(refund, at=things.now()))


def _safe(text: str) -> str:
    return text.replace("'", "&#x27;")
