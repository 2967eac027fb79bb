"""T11, T12: marketing makes discounts and promo codes in the admin, and sees nothing of payments there."""

from __future__ import annotations

import pytest

from subscriptions import lifecycle
from subscriptions.models import PersonalDiscount, PromoCode, Redemption, TermDiscount
from tests.admin.desk import list_of, page_of
from tests.subscriptions.promo import for_months, off, personal, promo
from tests.things import now

pytestmark = pytest.mark.django_db

SINCE = {"valid_from_0": "2026-01-01", "valid_from_1": "00:00:00", "valid_until_0": "", "valid_until_1": ""}
CODE = SINCE | {"code": "SPRING", "percent": "", "sum": "", "currency": "", "per_user_limit": "1", "is_on": "on"}


def add(desk, model, form):
    return desk.client.post(f"{list_of(model)}add/", form)


def errors(answer):
    return str(answer.context["errors"]) if answer.context else ""


def test_T11_marketing_gives_a_customer_a_percent_by_e_mail(staff, anna):
    marketing = staff("marketing")
    form = SINCE | {"email": "ANNA@example.org", "percent": "15", "note": "a friend"}
    assert add(marketing, PersonalDiscount, form).status_code == 302
    made = PersonalDiscount.objects.get()
    assert (made.user, made.percent, made.valid_until) == (anna, 15, None)
    assert "anna@example.org" in marketing.open(made).text
    assert marketing.client.post(page_of(made), form | {"percent": "20"}).status_code == 302
    assert PersonalDiscount.objects.get().percent == 20
    assert "no customer with this" in errors(add(marketing, PersonalDiscount, form | {"email": "no@example.org"}))


@pytest.mark.parametrize("percent", ["0", "-5", "101", "1.5", "many", ""])
def test_T11_a_percent_that_is_none_is_refused_with_a_sentence(staff, anna, percent):
    marketing = staff("marketing")
    for model, form in (
        (PersonalDiscount, SINCE | {"email": anna.email, "percent": percent, "note": ""}),
        (TermDiscount, {"months": "6", "percent": percent}),
        (PromoCode, CODE | {"percent": percent}),
    ):
        answer = add(marketing, model, form)
        assert answer.status_code == 200
        assert not model.objects.exists()
        if percent in ("0", "-5", "101"):
            assert "A percent is a whole number from 1 to 100." in errors(answer)


def test_T11_months_discounts_are_one_for_each_number_of_months(staff, plans):
    marketing = staff("marketing")
    assert add(marketing, TermDiscount, {"months": "6", "percent": "10"}).status_code == 302
    assert "already exists" in errors(add(marketing, TermDiscount, {"months": "6", "percent": "20"}))
    assert "from 1 to 120" in errors(add(marketing, TermDiscount, {"months": "0", "percent": "20"}))


def test_T11_a_code_takes_off_a_percent_or_a_sum_and_not_both(staff, plans):
    marketing = staff("marketing")
    for form, said in (
        ({}, "a percent, or an amount above zero"),
        ({"percent": "10", "sum": "5.00"}, "a percent, or an amount above zero"),
        ({"sum": "0"}, "a percent, or an amount above zero"),
        ({"sum": "1.234"}, "more precise"),
        ({"sum": "many"}, "digits"),
        ({"sum": "5", "currency": "XXZ"}, "not a currency"),
        ({"percent": "10", "code": "two words"}, "letters, digits"),
        ({"percent": "10", "valid_until_0": "2025-01-01", "valid_until_1": "00:00:00"}, "ends after it begins"),
    ):
        answer = add(marketing, PromoCode, CODE | form)
        assert answer.status_code == 200, form
        assert said in errors(answer), (form, errors(answer))
    assert add(marketing, PromoCode, CODE | {"sum": "100.00"}).status_code == 302
    made = PromoCode.objects.get()
    assert (made.amount, made.currency, made.percent, made.per_user_limit) == (10_000, "RUB", None, 1)
    assert "There is such a code already." in errors(
        add(marketing, PromoCode, CODE | {"code": "sPrInG", "percent": "1"})
    )


def test_T11_a_code_that_was_used_keeps_its_worth_and_its_limit_holds(staff, anna):
    code = promo(total_limit=5)
    lifecycle.subscribe(anna.pk, lifecycle.Order(plan="year", promo_code="SPRING"), actor="test", at=now())
    marketing = staff("marketing")
    text = marketing.open(code).text
    assert 'name="percent"' not in text and 'name="code"' not in text and 'name="total_limit"' in text
    form = SINCE | {"per_user_limit": "1", "is_on": "on"}
    assert "used more often" in errors(marketing.client.post(page_of(code), form | {"total_limit": "0"}))
    assert marketing.client.post(page_of(code), SINCE | {"per_user_limit": "1", "total_limit": "1"}).status_code == 302
    code.refresh_from_db()
    assert (code.is_on, code.total_limit, code.percent, code.taken) == (False, 1, 10, 1)
    assert marketing.client.post(page_of(code).replace("change", "delete"), {"post": "yes"}).status_code == 403
    unused = off("UNUSED", 100)
    assert marketing.client.post(page_of(unused).replace("change", "delete"), {"post": "yes"}).status_code == 302
    assert not PromoCode.objects.filter(code="UNUSED").exists()


def test_T12_marketing_sees_codes_and_not_whose_they_were_and_support_looks_only(staff, anna):
    rows = [promo(percent=20), personal(anna, 5), for_months(6, 5)]
    lifecycle.subscribe(anna.pk, lifecycle.Order(plan="year", promo_code="SPRING"), actor="test", at=now())
    marketing, support = staff("marketing"), staff("support")
    used = Redemption.objects.get()
    assert marketing.open(list_of(Redemption)).status_code == marketing.open(used).status_code == 403
    assert support.found(Redemption, q="anna@") == support.found(Redemption, q="spring") == [used.pk]
    assert support.open(used).status_code == 200
    for row in rows:
        assert marketing.found(type(row)) == [row.pk]
        assert support.open(row).status_code == 200
        assert support.client.post(page_of(row), {"percent": "99"}).status_code == 403
