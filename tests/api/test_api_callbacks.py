"""M3, M12: callbacks over HTTP. What is forged, garbled or not ours changes nothing; what is true is stored once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from acquiring.types import Status, Subject
from billing import callbacks
from billing.models import Callback, Payment
from subscriptions.models import Subscription
from tests import fake_acquirer
from tests.api.books import books
from tests.api.client import V1, Api, check_problem, tell
from tests.fake_acquirer import SIGNATURE, FakeAcquirer
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db

FAKE = V1 + "callbacks/fake"
STRANGER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def waiting(anna: Api, acquirer: FakeAcquirer) -> dict[str, str]:
    """Anna's subscription; the bank has her money, and its callback is on its way."""
    born: dict[str, str] = anna.subscribe()
    acquirer.pay(born["payment"])
    return born


def send(body: bytes, address: str = FAKE, **headers: str) -> Any:
    return APIClient().generic("POST", address, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("address", [FAKE, FAKE + "/", FAKE + "/pay", FAKE + "/pay/"])
def test_M12_a_true_callback_is_answered_as_the_acquirer_expects(
    acquirer: FakeAcquirer, waiting: dict[str, str], address: str
) -> None:
    answer = APIClient().post(address, **acquirer.callback(waiting["payment"]))

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b'{"ok": true}', "application/json")
    run_until_idle(now())
    assert Payment.objects.get().status == "succeeded" and Subscription.objects.get().status == "active"


@pytest.mark.parametrize("accept", ["text/plain", "application/xml", "nonsense", ""])
def test_M12_an_acquirer_need_not_say_what_it_accepts(
    acquirer: FakeAcquirer, waiting: dict[str, str], accept: str
) -> None:
    callback = acquirer.callback(waiting["payment"])
    callback["headers"]["Accept"] = accept
    assert APIClient().post(FAKE, **callback).status_code == 200


def test_M3_a_callback_that_comes_three_times_counts_once(acquirer: FakeAcquirer, waiting: dict[str, str]) -> None:
    for _ in range(3):
        assert tell(acquirer, waiting["payment"], event="one").status_code == 200
        run_until_idle(now())
    after = books()
    assert tell(acquirer, waiting["payment"], event="one").status_code == 200
    run_until_idle(now())

    assert books() == after and Callback.objects.count() == 1


def test_M3_callbacks_in_the_wrong_order_end_right(anna: Api, acquirer: FakeAcquirer, waiting: dict[str, str]) -> None:
    for status in ("succeeded", "pending", "failed", "pending"):
        assert tell(acquirer, waiting["payment"], status=status).status_code == 200
        run_until_idle(now())
    assert anna.get(f"payments/{waiting['payment']}").data["status"] == "succeeded"
    assert anna.get("subscriptions").data["results"][0]["status"] == "active"


def test_M3_a_callback_replayed_after_the_refund_does_not_revive_access(
    anna: Api, acquirer: FakeAcquirer, waiting: dict[str, str]
) -> None:
    callback = acquirer.callback(waiting["payment"])
    APIClient().post(FAKE, **callback)
    run_until_idle(now())
    anna.post("subscriptions/unsubscribe", {"subscription": waiting["id"]})
    for replay in (callback, acquirer.callback(waiting["payment"])):
        assert APIClient().post(FAKE, **replay).status_code == 200
        run_until_idle(now())

    assert anna.get("access").data["entitlements"] == []
    assert len(acquirer.returned(waiting["payment"])) == 1


@pytest.mark.parametrize("signature", [None, "", "x", "0" * 64, "\xff" * 10])
def test_M12_a_callback_that_is_forged_or_unsigned_is_not_kept(
    acquirer: FakeAcquirer, waiting: dict[str, str], signature: str | None
) -> None:
    before = books()
    body = acquirer.callback(waiting["payment"])["data"]

    answer = send(body, **({} if signature is None else {SIGNATURE: signature}))

    assert (answer.status_code, answer.data["code"]) == (400, "bad_callback")
    check_problem(answer)
    run_until_idle(now())
    assert books() == before


def test_M12_a_signature_of_another_body_is_forged(acquirer: FakeAcquirer, waiting: dict[str, str]) -> None:
    before = books()
    callback = acquirer.callback(waiting["payment"])
    body = callback["data"].replace(b"269900", b"000001")
    assert send(body, **callback["headers"]).status_code == 400
    assert books() == before


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe", b"\x00", b"[" * 60_000, b"NaN", b'{"event": NaN}',
     b'{"event": "e"}', b'{"event": "e", "subject": "payment", "our_id": "x", "status": "great"}',
     b'{"event": "e", "subject": "payment", "our_id": "x", "status": "failed", "amount": 1, "currency": "XXQ"}',
     '{"event": "e"}'.encode("utf-16")],
)  # fmt: skip
def test_M12_a_signed_callback_that_is_garbled_is_not_kept(
    acquirer: FakeAcquirer, waiting: dict[str, str], body: bytes
) -> None:
    before = books()
    answer = APIClient().post(FAKE, **acquirer.sign(body))
    assert (answer.status_code, answer.data["code"]) == (400, "bad_callback")
    assert books() == before


@pytest.mark.parametrize("event", ["e" * 121, "a\0b"])
def test_M12_a_callback_whose_id_no_column_holds_is_kept_once_all_the_same(
    acquirer: FakeAcquirer, waiting: dict[str, str], event: str
) -> None:
    for _ in range(2):
        assert tell(acquirer, waiting["payment"], event=event).status_code == 200
    assert Callback.objects.count() == 1


@pytest.mark.parametrize("size", [64 * 1024 + 1, 300 * 1024, 3 * 1024 * 1024])
def test_M12_an_oversized_callback_is_not_read(acquirer: FakeAcquirer, waiting: dict[str, str], size: int) -> None:
    before = books()
    answer = APIClient().post(FAKE, **acquirer.sign(b" " * size))
    assert (answer.status_code, answer.data["code"]) == (413, "too_large")
    check_problem(answer)
    assert books() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 1},
        {"amount": 269_901},
        {"currency": "USD"},
        {"reference": "pay_999"},
        {"status": "authorized", "amount": 1},
    ],
)
def test_M3_a_callback_with_another_figure_is_parked_for_staff(
    anna: Api, acquirer: FakeAcquirer, waiting: dict[str, str], changes: dict[str, Any]
) -> None:
    assert tell(acquirer, waiting["payment"], **changes).status_code == 200
    callbacks.process_due(at=now())

    callback, payment = Callback.objects.get(), Payment.objects.get()
    assert callback.status == "parked" and callback.note and payment.parked
    assert payment.status == "pending" and anna.get("access").data["entitlements"] == []


@pytest.mark.parametrize("our_id", [STRANGER, "", "x", "1", "９" * 32])
@pytest.mark.parametrize("subject", list(Subject))
def test_M3_a_callback_about_what_is_not_ours_is_parked(
    acquirer: FakeAcquirer, waiting: dict[str, str], subject: Subject, our_id: str
) -> None:
    body = {"event": "e", "subject": subject, "our_id": our_id, "status": "succeeded", "amount": 1, "currency": "RUB"}
    assert APIClient().post(FAKE, **acquirer.sign(json.dumps(body).encode())).status_code == 200
    callbacks.process_due(at=now())

    assert Callback.objects.get().status == "parked" and "that we" in Callback.objects.get().note
    assert Payment.objects.get().status == "pending"


def test_M6_an_acquirer_cannot_speak_of_anothers_payment(anna: Api, acquirer: FakeAcquirer, settings: Any) -> None:
    born = anna.subscribe()
    settings.ACQUIRERS = {**fake_acquirer.SETTING, "other": fake_acquirer.SETTING["fake"]}
    other = fake_acquirer.FakeAcquirer()
    other.operations[Subject.PAYMENT, born["payment"]] = fake_acquirer.Operation(
        Subject.PAYMENT, born["payment"], "pay_1", Payment.objects.get().money, Status.SUCCEEDED
    )
    answer = APIClient().post(V1 + "callbacks/other", **other.callback(born["payment"]))
    assert answer.status_code == 200
    run_until_idle(now())

    assert Callback.objects.get().status == "parked"
    assert Payment.objects.get().status == "pending"


@pytest.mark.parametrize("name", ["nobody", "FAKE", "fake%00", "%F0%9F%92%B3", "a" * 33, "..", "fake/a/b", "fake/%00"])
def test_M12_a_callback_of_no_acquirer_is_not_found(acquirer: FakeAcquirer, waiting: dict[str, str], name: str) -> None:
    before = books()
    answer = APIClient().post(f"{V1}callbacks/{name}", **acquirer.callback(waiting["payment"]))
    assert answer.status_code == 404
    check_problem(answer)
    assert books() == before


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "PURGE"])
def test_M12_a_callback_is_posted(acquirer: FakeAcquirer, plans: None, method: str) -> None:
    answer = APIClient().generic(method, FAKE)
    assert answer.status_code == 405 and "POST" in answer["Allow"]


def test_M13_an_unsigned_callback_is_only_a_doorbell(anna: Api, settings: Any) -> None:
    settings.ACQUIRERS = {"fake": {**fake_acquirer.SETTING["fake"], "options": {"trusted": False}}}
    acquirer = fake_acquirer.installed()
    born = anna.subscribe()

    tell(acquirer, born["payment"], status="succeeded")  # it says so; the bank's books do not
    run_until_idle(now())
    assert anna.get(f"payments/{born['payment']}").data["status"] == "pending"

    acquirer.pay(born["payment"])
    tell(acquirer, born["payment"])
    run_until_idle(now())
    assert anna.get(f"payments/{born['payment']}").data["status"] == "succeeded"
