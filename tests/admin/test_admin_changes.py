"""P13: what staff do for a customer's subscription, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accounts.models import User
from billing.models import Event, Payment
from subscriptions.models import Period, Plan, Subscription
from tests.admin.desk import Desk
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


def test_P13_the_plan_of_the_next_term(staff: Callable[..., Desk], paid: Payment) -> None:
    clerk, row = staff("support"), Subscription.objects.get()
    clerk.press(row, "next-plan", plan=str(Plan.objects.get(code="month").pk), reason="asked by phone")
    assert Subscription.objects.get().next_plan == Plan.objects.get(code="month")
    clerk.press(row, "next-plan", plan="", reason="changed their mind")
    assert Subscription.objects.get().next_plan is None


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
