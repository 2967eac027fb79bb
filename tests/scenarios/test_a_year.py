"""A year of a customer at the real bank: every event with its sum and no other, every mail, every figure in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from moneyed import Money

from billing import audit, ledger, reconciliation, wallets
from billing.models import Case, Payment, Refund
from subscriptions import agreements, cancellation, changes, lifecycle, next_plans, offers, pauses, trials
from subscriptions.models import Period, PromoCode, Subscription
from tests.local_bank import LocalBank
from tests.scenarios.year import YEAR, Year, day, spoken
from tests.subscriptions.promo import promo, states
from tests.things import now, plan

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, DECLINES, OTHER = "4242424242424242", "4000000000000341", "5555555555554444"


def paid(total: str, last: str) -> list[str]:
    return [f"payment.succeeded {total}", f"invoice.paid {total}", last]


def page(total: str, *between: str) -> list[str]:
    """An invoice whose payment waits on the bank's page."""
    return [f"invoice.issued {total}", *between, f"payment.created {total}", f"payment.pending {total}"]


@pytest.fixture
def year(bank: LocalBank) -> Year:
    plan("month", 1, 29_900, name="Month", trial_days=7)
    plan("quarter", 3, 79_900, name="Quarter")
    plan("prime", 3, 149_900, name="Prime", roles=["cinema", "prime"], customers_may_pause=True)
    promo("SPRING", 20)
    story = Year(bank)
    story.at = day("03-24T12:00")
    return story


def test_M10_T4_T6_a_year_of_a_customer(year: Year) -> None:
    tries_for_nothing(year)
    buys_with_a_code(year)
    renews_by_card(year)
    goes_up(year)
    is_declined(year)
    gives_another_card(year)
    rests(year)
    goes_down(year)
    cancels(year)
    leaves(year)
    adds_up(year)


def tries_for_nothing(vera: Year) -> None:
    assert vera.does(trials.begin, vera.user.pk, "month") == [
        "invoice.issued 0.00", "subscription.created total 0", "subscription.trial_begun total 0", "invoice.paid 0.00",
        "subscription.activated",
    ]  # fmt: skip
    assert vera.watches and not Payment.objects.exists()
    assert vera.why() == (
        f"Month is tried for nothing, to {spoken('03-31T12:00')}. Access (cinema) goes on to {spoken('04-02T12:00')}: "
        "2 days of grace follow the term. It does not renew by itself: nothing is charged unless the customer pays."
    )
    assert vera.to("03-31T18:00") == ["subscription.reminded", "subscription.past_due"]
    assert vera.mails() == [
        "Your trial of Month has begun",
        "Month ends on 31 March",
        "Month has ended; films go on until 2 April",
    ]


def buys_with_a_code(vera: Year) -> None:
    quoted = vera.told(offers.find("month", at=vera.at, user_id=vera.user.pk, promo_code="SPRING"))
    assert "SPRING" in quoted and "239.20 ₽" in quoted and "The price of 299.00 ₽ for 1 month counts since" in quoted

    def subscribe(**said: object) -> None:
        wanted = vera.order("month", promo_code="SPRING", auto_renew=True, expected_total=Money("239.20", "RUB"))
        vera.subscription_id = lifecycle.subscribe(vera.user.pk, wanted, **said).subscription.pk

    asked = page("239.20", "subscription.created total 239.20")
    assert vera.does(subscribe) == ["subscription.expired", *asked]
    assert states() == ["reserved"]
    assert vera.pays(FIRST) == paid("239.20", "subscription.activated")
    assert (states(), vera.mails()) == (["used"], ["Payment received: 239.20 ₽"])
    told = vera.told(vera.last())
    assert "Month, 1 month (Promo code SPRING 20%) costs 299.00 ₽; 59.80 ₽ is taken off, so 239.20 ₽ is left" in told
    assert f"It pays for term 1 of Month: 1 month, from {spoken('03-31T18:00')} to {spoken('04-30T18:00')}." in told
    assert f"299.00 ₽ by Visa •••• 4242 on {spoken('04-30T18:00')}." in vera.why()


def renews_by_card(vera: Year) -> None:
    assert vera.to("04-27T18:00") == ["subscription.reminded"]
    renewed = ["invoice.issued 299.00", "payment.created 299.00", *paid("299.00", "subscription.renewed")]
    assert vera.to("04-30T18:00") == renewed  # the code was for the first term only
    assert vera.mails() == ["Month renews on 30 April", "Payment received: 299.00 ₽", "Month is extended to 31 May"]
    told = vera.told(vera.last())
    assert f"charged by itself, to the saved card, as the customer agreed on 31 March {YEAR}." in told
    assert f"from {spoken('04-30T18:00')} to {spoken('05-31T18:00')}." in told  # and not the 30th


def goes_up(vera: Year) -> None:
    """Another card, whose bank says yes on its page and no to renewals."""
    assert vera.to("05-10T12:00") == []
    seen = changes.preview(vera.subscription, "prime", at=vera.at)
    assert (seen.price, seen.credit, seen.to_pay) == tuple(Money(sum_, "RUB") for sum_ in (1499, 299, 1200))
    wanted = vera.order("prime", save_card=True, expected_total=seen.to_pay)
    asked = page("1200.00", "subscription.change_asked total 1200.00")
    assert vera.does(changes.upgrade, vera.subscription_id, wanted) == asked
    assert vera.pays(DECLINES) == paid("1200.00", "subscription.changed credit 299.00")
    assert vera.mails() == ["Payment received: 1 200.00 ₽", "You have Prime now"]
    assert vera.told(vera.last()).endswith(
        "Prime instead of Month costs 1 499.00 ₽; 299.00 ₽ is taken off, so 1 200.00 ₽ is left to pay. What is taken "
        f"off is the 299.00 ₽ that Month was still worth from 30 April {YEAR} on. It pays for term 3 of Prime: 3 "
        f"months, counted from 30 April {YEAR}, from {spoken('05-10T12:00')} to {spoken('07-31T18:00')}. The price of "
        "1 499.00 ₽ for 3 months counts since 1 January 2020."
    )
    assert "Access (cinema, prime)" in vera.why()


def is_declined(vera: Year) -> None:
    """Declined at the end and a day later; films go on in the days of grace."""
    tried = ["payment.created 1499.00", "payment.failed 1499.00"]
    assert vera.to("07-31T18:00") == ["subscription.reminded", "invoice.issued 1499.00", *tried]
    assert vera.to("07-31T18:15") == ["subscription.past_due"]
    assert vera.to("08-01T18:00") == tried
    refused = "Payment of 1 499.00 ₽ did not go through"
    ended = "Prime has ended; films go on until 2 August"
    assert vera.mails() == ["Prime renews on 31 July", refused, ended, refused]
    assert vera.subscription.status == "past_due" and vera.watches
    told = vera.told(vera.last())
    assert "Not paid: There is not enough money on the card." in told and "try 2 of 2 to pay this invoice" in told
    assert f"tried by itself, on the saved card, as the customer agreed on 31 March {YEAR}." in told
    assert f"grace. 1 499.00 ₽ by Visa •••• 0341 did not go through on {spoken('08-01T18:00')}: There is" in vera.why()
    assert f"0341 on {spoken('08-02T15:00')}." in vera.why()


def gives_another_card(vera: Year) -> None:
    """A card saved with a top-up is tried the moment that the customer agrees to it; no day is lost."""
    assert vera.to("08-01T20:00") == []
    top_up = wallets.TopUp(Money(100, "RUB"), save_card=True)
    assert vera.does(wallets.top_up, vera.user.pk, top_up) == page("100.00")
    assert vera.pays(OTHER) == ["payment.succeeded 100.00", "invoice.paid 100.00"]
    assert vera.does(agreements.agree, vera.subscription_id, method_id=vera.card("4444").pk) == [
        "subscription.renewal_on", "payment.created 1499.00", *paid("1499.00", "subscription.activated"),
        "subscription.renewed",
    ]  # fmt: skip
    received = ["Payment received: 100.00 ₽", "Prime renews by itself", "Payment received: 1 499.00 ₽"]
    assert vera.mails() == [*received, "Prime is extended to 31 October"]
    charged, failed = (Payment.objects.filter(amount=149_900, status=state) for state in ("succeeded", "failed"))
    told = vera.told(charged.get())
    assert "try 3 of 3" in told and f"from {spoken('07-31T18:00')} to {spoken('10-31T18:00')}." in told
    assert f"as the customer agreed on 1 August {YEAR}." in told
    assert all("as the customer had agreed before." in vera.told(each) for each in failed)


def rests(vera: Year) -> None:
    assert vera.to("09-10T18:00") == []
    assert vera.does(pauses.pause, vera.subscription_id, by_customer=True) == ["subscription.paused"]
    assert not vera.watches
    assert vera.why() == (
        f"Prime is paused since {spoken('09-10T18:00')}; its end, {spoken('10-31T18:00')}, moves by each whole day of "
        "rest. So it gives no access now."
    )
    assert vera.to("09-20T18:00") == []
    assert vera.does(pauses.resume, vera.subscription_id, by_customer=True) == [
        "subscription.activated", "subscription.resumed"
    ]  # fmt: skip
    assert vera.watches and vera.why().startswith(f"Prime is paid to {spoken('11-10T18:00')}.")


def goes_down(vera: Year) -> None:
    assert vera.to("10-01T12:00") == []
    price = Money(799, "RUB")
    planned = vera.does(next_plans.plan_next, vera.subscription_id, "quarter", expected_price=price)
    assert planned == ["subscription.change_planned"]
    assert vera.why().endswith(f"799.00 ₽ for Quarter by Mastercard •••• 4444 on {spoken('11-10T18:00')}.")
    assert vera.to("11-10T18:00") == [
        "subscription.reminded", "invoice.issued 799.00", "payment.created 799.00",
        *paid("799.00", "subscription.renewed"),
    ]  # fmt: skip
    extended = "Quarter is extended to 10 February"
    rested = ["Prime is paused", "Prime goes on", "Quarter follows Prime from 10 November on"]
    assert vera.mails() == [*rested, "Prime renews on 10 November", "Payment received: 799.00 ₽", extended]
    assert "It pays for term 5 of Quarter: 3 months, from" in vera.told(vera.last())
    assert "Access (cinema) goes on" in vera.why()


def cancels(vera: Year) -> None:
    """In the second month of three: the third comes back."""
    assert vera.to("12-15T12:00") == []
    cancelled = vera.does(cancellation.cancel, vera.subscription_id, expected_refund=Money("266.33", "RUB"))
    assert cancelled == ["subscription.cancelled refund 266.33", "refund.requested 266.33", "refund.succeeded 266.33"]
    assert vera.mails() == ["Quarter is cancelled", "Refund made: 266.33 ₽"]
    told = vera.told(Refund.objects.get())
    assert told.startswith(f"266.33 ₽ of the 799.00 ₽ paid on {spoken('11-10T18:00')}") and "to Mastercard" in told
    assert "1 of 3 months has not begun. 799.00 ₽ split over the months gives 266.33 ₽" in told
    assert vera.watches and f"Access (cinema) goes on to {spoken('+01-10T18:00')}." in vera.why()
    assert vera.to("+01-10T18:00") == ["subscription.ended"]
    assert vera.mails() == ["Quarter is over"] and not vera.watches


def leaves(vera: Year) -> None:
    """What is in the wallet goes back, and nothing ever happens again."""
    closed = vera.does(wallets.close, vera.user.pk, "RUB", reason="leaving")
    assert closed == ["refund.requested 100.00", "wallet.closed", "refund.succeeded 100.00"]
    assert vera.mails() == ["Refund made: 100.00 ₽"]
    assert vera.to("+03-31T12:00") == [] and vera.mails() == []


def adds_up(vera: Year) -> None:
    """Terms without a gap, the bank's books and ours to the kopeck, every promise of the audit kept."""
    begun = Period.objects.filter(subscription=vera.subscription_id, starts_at__isnull=False).order_by("number")
    spans = [(row.starts_at, row.ends_at) for row in begun]
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert [*Subscription.objects.order_by("created_at").values_list("status", flat=True)] == ["expired", "ended"]
    assert PromoCode.objects.get().taken == 1
    kept = Money("239.20", "RUB") + Money(299 + 1200 + 1499 + 799, "RUB") - Money("266.33", "RUB")
    assert ledger.balance(ledger.cash("sandbox", "RUB")) == kept == Money("3769.87", "RUB")
    vera.agree()
    statement(vera)
    assert [finding.check.name for finding in audit.run(at=vera.at).breaches] == []


def statement(vera: Year) -> None:
    """Each line of the bank's statement is one of ours. The bank's days are real ones."""
    today = now().date()
    results = [reconciliation.run("sandbox", on, at=vera.at) for on in (today - timedelta(days=1), today)]
    assert sum(result.lines for result in results) == len(vera.bank.operations()) == 10
    assert not Case.objects.exists()
