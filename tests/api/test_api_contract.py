"""P4: the OpenAPI schema is valid, its examples are true, its page needs no internet, and fuzz finds no 5xx in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator, FormatChecker
from rest_framework_simplejwt.tokens import AccessToken

from tests.api.client import Api, openapi
from tests.fake_acquirer import FakeAcquirer
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db

ADDRESSES = {
    ("get", "subscriptions"), ("get", "subscriptions/{}"), ("get", "subscriptions/{}/payments"),
    ("post", "subscriptions/subscribe"), ("post", "subscriptions/unsubscribe"), ("post", "subscriptions/renewal"),
    ("post", "subscriptions/quote"),
    ("get", "subscriptions/plans"), ("get", "subscriptions/plans/{}"), ("post", "subscriptions/plans/new"),
    ("delete", "subscriptions/plans/{}"), ("get", "payments/{}"), ("get", "payments/subscription/{}"),
    ("post", "payments/payment"), ("post", "payments/refund"), ("post", "payments/check"),
    ("post", "payments/confirm"), ("post", "callbacks/{}"), ("post", "callbacks/{}/{}"), ("get", "access"),
    ("get", "invoices"), ("get", "invoices/{}"), ("post", "invoices/{}/void"),
    ("get", "wallet"), ("get", "wallet/transactions"), ("post", "wallet/top-up"), ("post", "wallet/pay"),
    ("post", "wallet/close"), ("get", "orders"), ("post", "orders"), ("post", "orders/refund"),
    ("get", "subscriptions/tariffs"), ("post", "subscriptions/tariffs/start"),
    ("post", "subscriptions/tariffs/change"),
    ("get", "subscriptions/plans/all"), ("post", "subscriptions/plans/{}/change"),
    ("post", "subscriptions/plans/{}/prices"), ("post", "subscriptions/price-moves"),
    ("get", "subscriptions/price-moves/{}"), ("post", "subscriptions/price-moves/{}/announce"),
    ("get", "subscriptions/price-moves"), ("post", "subscriptions/price-moves/{}/withdraw"),
    ("get", "subscriptions/promo-codes"), ("post", "subscriptions/promo-codes"),
    ("get", "subscriptions/promo-codes/{}"), ("post", "subscriptions/promo-codes/{}/change"),
    ("delete", "subscriptions/promo-codes/{}"),
    ("get", "subscriptions/discounts/personal"), ("post", "subscriptions/discounts/personal"),
    ("post", "subscriptions/discounts/personal/{}/change"), ("delete", "subscriptions/discounts/personal/{}"),
    ("get", "subscriptions/discounts/months"), ("post", "subscriptions/discounts/months"),
    ("post", "subscriptions/discounts/months/{}/change"), ("delete", "subscriptions/discounts/months/{}"),
    ("get", "users/{}/roles"), ("put", "users/{}/roles"),
    ("post", "subscriptions/change"),
    ("post", "subscriptions/change/quote"), ("post", "subscriptions/next-plan"), ("post", "subscriptions/pause"),
    ("post", "subscriptions/resume"), ("post", "subscriptions/trial"), ("post", "subscriptions/give"),
    ("post", "subscriptions/{}/extend"), ("post", "subscriptions/{}/favour"), ("post", "subscriptions/{}/pause"),
    ("post", "subscriptions/{}/resume"), ("post", "subscriptions/{}/cancel"),
}  # fmt: skip
MOVES_MONEY_OR_CREATES = {
    "subscribe", "unsubscribe", "renewal", "plan_new", "payment_begin", "payment_refund", "payment_confirm",
    "invoice_void", "wallet_top_up", "wallet_pay", "wallet_close", "tariff_start", "tariff_change",
    "order", "order_refund", "price_new", "price_move_new", "price_move_announce", "price_move_withdraw",
    "promo_code_new", "personal_discount_new", "months_discount_new",
    "change", "next_plan", "pause", "resume", "trial", "subscription_give", "subscription_extend",
    "subscription_favour", "subscription_pause", "subscription_resume", "subscription_cancel",
}  # fmt: skip


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, methods in openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path.removeprefix("/api/v1/"), operation


def examples() -> Iterator[tuple[str, Any, Any]]:
    """Every example with the schema of what it is an example of."""
    for _, path, operation in operations():
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media in (media for content in contents for media in content.get("content", {}).values()):
            for example in media.get("examples", {}).values():
                if not path.startswith("auth/"):
                    yield operation["operationId"], media["schema"], example["value"]


def test_P4_the_schema_is_valid_and_complete(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_P4_every_address_of_the_product_is_in_the_schema() -> None:
    found = {(method, re.sub(r"{\w+}", "{}", path)) for method, path, _ in operations()}
    assert found >= ADDRESSES
    assert all(address.startswith("auth/") for _, address in found - ADDRESSES)


def test_M12_every_operation_that_moves_money_takes_a_key() -> None:
    keyed = {
        operation["operationId"]
        for _, _, operation in operations()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    }
    assert keyed == MOVES_MONEY_OR_CREATES


def test_P4_the_examples_are_what_the_schema_says() -> None:
    shown = list(examples())
    assert len(shown) > 25
    for name, schema, value in shown:
        whole = {**schema, "components": openapi()["components"]}
        assert not list(Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)), name


def test_P4_the_examples_are_what_is_really_answered(
    anna: Api, staff: Callable[..., Api], paid: dict[str, str], acquirer: FakeAcquirer
) -> None:
    clerk = staff("billing.refund_payment")
    real: dict[str, Any] = {
        "plans": anna.get("subscriptions/plans").json(),
        "plan": anna.get("subscriptions/plans/year").json(),
        "quote": anna.post("subscriptions/quote", {"plan": "year"}).json(),
        "subscribe": paid,
        "subscription": anna.get(f"subscriptions/{paid['id']}").json(),
        "subscriptions": anna.get("subscriptions").json(),
        "access": anna.get("access").json(),
        "payment_refund": clerk.post(
            "payments/refund", {"payment": paid["payment"], "amount": "1.00", "reason": "Asked"}
        ).json(),
        "payment": anna.get(f"payments/{paid['payment']}").json(),
        "payments_of_subscription": anna.get(f"payments/subscription/{paid['id']}").json(),
        "invoice": anna.get(f"invoices/{paid['invoice']}").json(),
        "invoices": anna.get("invoices").json(),
        "unsubscribe": anna.post("subscriptions/unsubscribe", {"subscription": paid["id"]}).json(),
    }
    shown = {
        operation["operationId"]: media["examples"]["Response"]["value"]
        for _, _, operation in operations()
        for status, answer in operation["responses"].items()
        if status in ("200", "201")
        for media in answer.get("content", {}).values()
        if "Response" in media.get("examples", {})
    }
    for name, answer in real.items():
        assert alike(shown[name], answer), name


def alike(shown: Any, real: Any) -> bool:
    """Whether two values have the same names and hold the same kinds of things; a null may stand for anything."""
    if shown is None or real is None:
        return True
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(alike(shown[name], real[name]) for name in shown)
    if isinstance(shown, list) and isinstance(real, list):
        return all(alike(shown[0], each) for each in real) if shown else True
    return type(shown) is type(real)


@pytest.mark.parametrize("slash", ["", "/"])
def test_P4_the_interactive_page_needs_no_internet(anna: Api, slash: str) -> None:
    page = anna.http.get("/api/v1/docs" + slash)
    assert page.status_code == 200
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page.content.decode())
    assert loaded and all(address.startswith("/static/") for address in loaded)
    assert anna.http.get("/api/v1/schema" + slash).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_M12_fuzz_finds_no_server_error(anna: Api, paid: dict[str, str], acquirer: FakeAcquirer) -> None:
    """Schemathesis makes requests out of the schema, good and bad ones, the same in every run."""
    anna.user.is_staff = anna.user.is_superuser = True
    anna.user.save()
    app = get_wsgi_application()
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
    schema.app = app
    headers = {"Authorization": f"Bearer {AccessToken.for_user(anna.user)}"}
    seen: set[int] = set()
    tried: set[str] = set()

    @settings(
        max_examples=15,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    def check(case: Any) -> None:
        answer = case.call(headers=headers)
        seen.add(answer.status_code)
        tried.add(case.operation.label)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)

    for result in schema.exclude(path_regex="/auth/").get_all_operations():
        operation = result.ok()
        for mode in schemathesis.GenerationMode:
            with suppress(Unsatisfiable):  # there is no bad request to a list that takes everything
                given(case=operation.as_strategy(generation_mode=mode))(check)()
        assert operation.label in tried

    assert {200, 400, 404} <= seen
    run_until_idle(now())
