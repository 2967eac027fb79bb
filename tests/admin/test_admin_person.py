"""M5, M9: staff find a person and see everything about them, as far as their role goes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.models import Invoice, Payment, PaymentMethod, Refund
from subscriptions.models import Period, Subscription
from tests import fake_acquirer, rows
from tests.admin.desk import Desk, list_of, page_of
from tests.things import now, viewer

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("term", ["anna@example.org", "ANNA@EXAMPLE", "karenina", "the id"])
def test_M9_a_person_is_found_by_email_id_and_name_and_the_list_tells_the_subscription(term, support, paid, anna):
    term = str(anna.pk) if term == "the id" else term
    answer = support.open(list_of(User), q=term)

    assert [user.pk for user in answer.context["cl"].result_list] == [anna.pk]
    assert "Active: One year" in answer.text


def test_M9_the_page_shows_state_term_plan_payments_refunds_and_each_leads_to_its_page(
    support, failed_refund, paid, subscription, anna
):
    text = support.open(anna).text
    period = Period.objects.get(subscription=subscription)

    assert ">Active</span>" in text and "One year" in text and "12 months" in text
    assert f"{period.ends_at:%Y}" in text
    assert "2\u00a0699.00\u00a0₽" in text and paid.acquirer_payment_id in text and "fake" in text
    assert "Asked" in text and "The customer still waits" in text  # the refund, and what is wrong with it
    assert "Visa •••• 4242" in text and "12/2030" in text
    for row in (subscription, paid, failed_refund, paid.invoice, PaymentMethod.objects.get()):
        assert page_of(row) in text
        assert support.open(row).status_code == 200


def test_M9_a_payment_shows_its_plan_term_and_history_with_the_actor_named(support, paid, anna):
    text = support.open(paid).text

    assert "One year" in text and "12 months" in text
    assert "payment.succeeded" in text and "pending → succeeded" in text
    assert f'<a href="{page_of(anna)}">{anna.email}</a>' in text


def test_M9_grace_is_told(support, subscription, anna):
    Subscription.objects.filter(pk=subscription.pk).update(valid_till=now(), status="past_due")

    assert "(grace)" in support.open(anna).text


def test_M10_one_that_is_over_renews_no_more(support, subscription, anna):
    Subscription.objects.filter(pk=subscription.pk).update(auto_renew=True, renewal_consent_at=now())
    assert "by itself" in support.open(anna).text and ">yes<" in support.open(subscription).text
    Subscription.objects.filter(pk=subscription.pk).update(status="expired")
    assert "<td>by itself</td>" not in support.open(anna).text and ">yes<" not in support.open(subscription).text


def test_M9_somebody_who_never_came_has_an_empty_page(support):
    text = support.open(viewer()).text

    assert "Has never subscribed." in text and "No payments." in text and "No refunds." in text


def test_M14_without_the_right_the_page_shows_nothing_of_payments(staff, failed_refund, paid, anna):
    text = staff("accounts.view_user").open(anna).text
    assert "Payments" not in text and "2\u00a0699.00" not in text and paid.acquirer_payment_id not in text

    text = staff("accounts.view_user", "subscriptions.view_subscription").open(anna).text
    assert "Subscription" in text
    assert 'aria-label="Payments"' not in text and 'aria-label="Refunds"' not in text
    assert paid.acquirer_payment_id not in text and "payment.succeeded" not in text


def many_payments(user: User, count: int) -> None:
    for number in range(count):
        bill = rows.invoice(user=user)
        of = rows.payment(bill, status="succeeded", captured=29_900, settled_at=now(), acquirer="fake")
        Refund.objects.create(**rows.refund_fields(of, reason=f"reason {number}"))


def queries(desk: Desk, where: Any) -> int:
    desk.open(where)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert desk.open(where).status_code == 200
    return len(seen)


def test_M9_the_page_costs_the_same_for_one_payment_and_for_twenty_and_shows_no_more(support, paid, anna):
    many_payments(anna, 1)
    few = queries(support, anna)
    many_payments(anna, 30)

    assert queries(support, anna) == few
    answer = support.open(anna)
    assert answer.text.count('<td class="id">') == 20
    assert f"{list_of(Payment)}?q={anna.pk}" in answer.text
    assert len(support.found(Payment, q=str(anna.pk))) == 32


@pytest.mark.parametrize("model", [User, Payment, Refund, Invoice, Subscription])
def test_M5_a_list_costs_the_same_for_few_rows_and_for_many(model, support, paid, anna, buy):
    many_payments(anna, 1)
    few = queries(support, list_of(model))
    many_payments(anna, 10)
    for number in range(5):
        buy(viewer(f"more{number}@example.org"), "month")

    assert queries(support, list_of(model)) == few


def test_the_token_of_a_card_is_on_no_page(root, paid, anna, client):
    method = PaymentMethod.objects.get()
    assert method.token == fake_acquirer.CARD.token
    Payment.objects.filter(pk=paid.pk).update(raw={"card": {"token": method.token}, "id": "pay_1"})
    pages = [anna, paid, method, paid.invoice, list_of(PaymentMethod), list_of(Payment)]

    for page in pages:
        text = root.open(page).text
        assert method.token not in text and method.token_digest not in text
    assert "[redacted]" in root.open(paid).text and "pay_1" in root.open(paid).text
