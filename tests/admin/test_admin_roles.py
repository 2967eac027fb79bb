"""M14, T12: who of the staff may see what, and do what."""

from __future__ import annotations

import pytest

from accounts.models import User
from billing.models import Callback, Delivery, Event, Invoice, Payment, PaymentMethod, Refund
from notifications.models import Message
from subscriptions.models import Plan, Subscription
from tests.admin.desk import NEEDS_A_HUMAN, deed_of, list_of, page_of

pytestmark = pytest.mark.django_db


def test_M14_support_asks_and_cancels_but_gives_no_money_of_its_own_choice(support, failed_refund, paid, subscription):
    assert support.open(deed_of(subscription, "cancel")).status_code == 200
    for row, slug in ((paid, "refund"), (failed_refund, "again"), (paid.invoice, "void"), (paid, "capture")):
        assert support.open(deed_of(row, slug)).status_code == 403
        assert support.press(row, slug, {"amount": "1", "key": "0" * 32}).status_code == 403
    assert deed_of(paid, "refund") not in support.open(paid).text


def test_M14_T12_marketing_sees_plans_and_nothing_of_money(staff, failed_refund, paid, subscription, anna):
    marketing = staff("marketing")
    plan = Plan.objects.first()
    assert marketing.open(plan).status_code == 200 and marketing.open(list_of(Plan)).status_code == 200
    for model in (Payment, Refund, Invoice, PaymentMethod, Event, Callback, Delivery, Subscription, Message, User):
        assert marketing.open(list_of(model)).status_code == 403
    for row in (paid, failed_refund, paid.invoice, subscription, anna):
        assert marketing.open(row).status_code == 403
    for row, slug in ((paid, "refund"), (paid, "check"), (subscription, "cancel"), (paid.invoice, "void")):
        assert marketing.press(row, slug, {}).status_code == 403
    assert marketing.open(NEEDS_A_HUMAN).status_code == 403
    front = marketing.open("/admin/").text
    assert "Payments" not in front and "Needs a human" not in front and "Plans" in front


def test_M14_an_administrator_may_everything_and_a_viewer_nothing(staff, failed_refund, paid, subscription, client):
    boss = staff("administrator")
    for row, slug in ((paid, "check"), (failed_refund, "again"), (subscription, "cancel")):
        assert boss.open(deed_of(row, slug)).status_code in (200, 302)
    assert boss.open(list_of(User)).status_code == 200 and boss.open(NEEDS_A_HUMAN).status_code == 200
    client.force_login(paid.user)
    for where in (page_of(paid), deed_of(paid, "refund"), NEEDS_A_HUMAN, list_of(Payment)):
        assert client.get(where).status_code == 302 and "login" in client.get(where)["Location"]
    assert client.post(deed_of(paid, "refund"), {"reason": "mine"}).status_code == 302
    assert Refund.objects.count() == 1


def test_M14_the_right_to_a_deed_needs_the_right_to_see_too(staff, paid):
    blind = staff("billing.refund_payment")

    assert blind.press(paid, "refund", {}).status_code == 403


def test_M14_list_actions_are_offered_and_done_only_with_the_right(staff, anna, buy, acquirer):
    payment, onlooker = buy(anna, pay=False), staff("billing.view_payment")
    assert "deed_check" not in onlooker.open(list_of(Payment)).text
    body = {"action": "deed_check", "_selected_action": [str(payment.pk)], "confirmed": "1", "reason": "x"}
    onlooker.client.post(list_of(Payment), body)

    assert not acquirer.called("fetch")
