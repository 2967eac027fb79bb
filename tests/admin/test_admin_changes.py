"""P13: what staff do for a customer's subscription, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accounts.models import User
from billing import payments
from billing.models import Event, Payment
from subscriptions import lifecycle
from subscriptions.models import Change, Period, Plan, Subscription
from tests.admin.desk import Desk, deed_of
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.things import now, plan, run_until_idle, viewer


def test_P13_a_term_is_extended_for_nothing_with_a_reason(staff: Callable[..., Desk], paid: Payment) -> None:
    clerk, row = staff("billing manager"), Subscription.objects.get()
    before = row.valid_till
    clerk.press(row, "extend", months="", days="10", reason="ticket 7")
    row.refresh_from_db()
    assert row.valid_till and before and (row.valid_till - before).days == 10
    assert Event.objects.get(kind="subscription.extended").reason == "ticket 7"
    assert not Event.objects.filter(kind="payment.created", at__gt=paid.settled_at).exists()


def test_P13_months_and_days_at_once_are_refused(staff: Callable[..., Desk], paid: Payment) -> None:
    row = Subscription.objects.get()
    answer = staff("billing manager").press(row, "extend", months="1", days="1", reason="ticket 7")
    assert "one of the two" in answer.text
    assert not Event.objects.filter(kind="subscription.extended").exists()


def test_P13_a_pause_and_its_end(staff: Callable[..., Desk], paid: Payment) -> None:
    clerk, row = staff("support"), Subscription.objects.get()
    clerk.press(row, "pause", reason="in hospital")
    assert Subscription.objects.get().status == "paused"
    clerk.press(row, "resume", reason="well again")
    assert Subscription.objects.get().status == "active"


def test_P13_a_dearer_plan_for_nothing(staff: Callable[..., Desk], paid: Payment) -> None:
    plan("prime", 12, 999_900, name="Prime")
    clerk, row = staff("billing manager"), Subscription.objects.get()
    before, prime = row.plan, str(Plan.objects.get(code="prime").pk)
    assert "at its price" in clerk.client.get(deed_of(row, "favour")).text
    assert "They have Prime now" in clerk.told(clerk.press(row, "favour", plan=prime, reason="ticket 7"))
    row.refresh_from_db()
    assert (row.plan.code, row.next_plan) == ("prime", before)
    assert Event.objects.get(kind="subscription.upgraded").reason == "ticket 7"
    assert "Prime already" in clerk.told(clerk.press(row, "favour", plan=prime, reason="again"))
    assert Event.objects.filter(kind="subscription.upgraded").count() == 1


def test_P13_the_plan_of_the_next_term(staff: Callable[..., Desk], paid: Payment) -> None:
    clerk, row = staff("support"), Subscription.objects.get()
    clerk.press(row, "next-plan", plan=str(Plan.objects.get(code="month").pk), reason="asked by phone")
    assert Subscription.objects.get().next_plan == Plan.objects.get(code="month")
    clerk.press(row, "next-plan", plan="", reason="changed their mind")
    assert Subscription.objects.get().next_plan is None


def month_of(anna: User, acquirer: FakeAcquirer, **order: Any) -> Subscription:
    """Anna's month, paid and begun."""
    begun = lifecycle.subscribe(anna.pk, lifecycle.Order(plan="month", **order), actor="test", at=now())
    assert begun.payment
    acquirer.pay(begun.payment.pk)
    payments.check(begun.payment.pk, at=now())
    run_until_idle(now())
    return Subscription.objects.get(pk=begun.subscription.pk)


def test_P13_a_dearer_plan_is_charged_to_the_card_that_renews(
    staff: Callable[..., Desk], anna: User, acquirer: FakeAcquirer
) -> None:
    row, clerk = month_of(anna, acquirer, auto_renew=True), staff("billing manager")
    page = clerk.open(deed_of(row, "upgrade")).text
    assert "One year: 2\u00a0400.00\u00a0₽ to pay" in page and "Visa •••• 4242" in page and "Then paid to" in page
    told = clerk.told(clerk.press(row, "upgrade", choice="year:2400.00", reason="asked by phone"))
    assert "2\u00a0400.00\u00a0₽ is paid; One year begins in a moment." in told
    run_until_idle(now())
    assert Subscription.objects.get().plan.code == "year"
    asked = Event.objects.get(kind="subscription.change_asked")
    assert (asked.actor, asked.reason) == (f"user:{clerk.user.pk}", "asked by phone")


def test_P13_a_decline_leaves_the_plan_as_it_is(staff: Callable[..., Desk], anna: User, acquirer: FakeAcquirer) -> None:
    row, clerk = month_of(anna, acquirer, auto_renew=True), staff("billing manager")
    acquirer.program("charge", Fault.DECLINE)
    assert "The bank did not take 2\u00a0400.00" in clerk.told(clerk.press(row, "upgrade", choice="year:2400.00"))
    run_until_idle(now())
    assert Subscription.objects.get().plan.code == "month"


def test_P13_no_card_is_charged_by_staff_without_consent_or_the_right(
    staff: Callable[..., Desk], anna: User, acquirer: FakeAcquirer
) -> None:
    row, clerk = month_of(anna, acquirer, save_card=True), staff("billing manager")
    assert deed_of(row, "upgrade") not in clerk.open(row).text
    answer = clerk.press(row, "upgrade", {}, choice="year:2400.00")
    assert "have not agreed" in clerk.told(answer)
    assert staff("support").press(row, "upgrade", {}, choice="year:2400.00").status_code == 403
    assert not acquirer.called("charge") and not Change.objects.exists()


def test_P13_a_dearer_plan_is_offered_by_mail(
    staff: Callable[..., Desk], anna: User, acquirer: FakeAcquirer, mailoutbox: Any
) -> None:
    row, clerk = month_of(anna, acquirer), staff("support")
    for said in ("is sent the offer: One year for 2\u00a0400.00", "sent this offer a moment ago"):
        assert said in clerk.told(clerk.press(row, "offer", choice="year:2400.00", reason="a secret"))
    mailoutbox.clear()
    run_until_idle(now())
    (letter,) = mailoutbox
    assert letter.subject == "One year instead of One month: 2\u00a0400.00\u00a0₽" and "a secret" not in letter.body
    assert "/account/change/#year" in letter.body and "299.00\u00a0₽ less" in letter.body
    assert Event.objects.get(kind="subscription.change_offered").reason == "a secret"
    assert Subscription.objects.get().plan.code == "month" and not Change.objects.exists()


def test_P13_a_figure_that_is_not_of_now_is_refused_with_the_new_one(
    staff: Callable[..., Desk], anna: User, acquirer: FakeAcquirer
) -> None:
    row, clerk = month_of(anna, acquirer), staff("support")
    answer = clerk.press(row, "offer", choice="year:1.00")
    assert "look again" in answer.text and "2\u00a0400.00" in answer.text
    assert not Event.objects.filter(kind="subscription.change_offered").exists()


def test_P13_many_people_get_a_term_and_a_report_says_who_did_not(
    staff: Callable[..., Desk], paid: Payment, anna: User
) -> None:
    clerk, other = staff("administrator"), viewer("boris@example.org")
    form: dict[str, Any] = {
        "action": "give_term",
        "confirmed": "1",
        "_selected_action": [str(anna.pk), str(other.pk)],
        "plan": str(Plan.objects.get(code="month").pk),
        "months": "1",
        "days": "",
        "reason": "a broken film",
    }
    asked = clerk.client.post("/admin/accounts/user/", {**form, "confirmed": ""} | {"reason": ""}, follow=True)
    assert "anna@example.org" in asked.text and "boris@example.org" in asked.text
    said = clerk.client.post("/admin/accounts/user/", form, follow=True).text
    run_until_idle(now())
    assert Subscription.objects.get(user=other).status == "active"
    assert "Boris@example.org: Given." in said and "Anna@example.org: They have One year already." in said


def test_P13_who_may_not_give_gives_nothing(staff: Callable[..., Desk], paid: Payment, anna: User) -> None:
    clerk = staff("support")
    form = {"action": "give_term", "_selected_action": [str(anna.pk)]}
    said = clerk.client.post("/admin/accounts/user/", form, follow=True).text
    assert "Give it to all of them" not in said
    assert clerk.open(f"/admin/subscriptions/subscription/{Subscription.objects.get().pk}/extend/").status_code == 403


def test_M9_each_payment_names_the_plan_that_it_was_for(staff: Callable[..., Desk], paid: Payment) -> None:
    """Whatever plan the subscription is for by now."""
    clerk, dearer = staff("support"), plan("gold", 12, 499_900, name="Gold for ever")
    Subscription.objects.update(plan=dearer, price=dearer.prices.get())
    was = Period.objects.select_related("plan").get().sold.name
    for page in (paid, paid.invoice):
        text = clerk.open(page).text
        assert f"For <strong>{was}</strong>" in text and "Gold for ever" not in text
    assert f"<td>{was}</td>" in clerk.open(paid.user).text
    assert was in clerk.open(Subscription.objects.get()).text
