"""A charge that was sent is never called unsent, whatever becomes of the questions after it."""

from __future__ import annotations

from typing import Any

import pytest

from acquiring.backends.tbank import TBank, mapping
from acquiring.http import NotSent
from acquiring.types import Status
from tests.acquiring.far import charge


@pytest.mark.parametrize("problem", [NotSent("429"), mapping.Refused({"ErrorCode": "403"})])
def test_a_charge_whose_fate_cannot_be_asked_about_is_unknown(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    bank = TBank("terminal", ["password"], "http://shop.invalid", "http://127.0.0.1:9")
    new = {"Success": True, "ErrorCode": "0", "Status": "NEW", "PaymentId": "7", "OrderId": "1", "Amount": 29900}

    def call(method: str, body: dict[str, Any]) -> dict[str, Any]:
        return new if method == "Init" else {"Success": False, "ErrorCode": "999", "Message": "later", "PaymentId": "7"}

    def state(reference: str) -> None:
        raise problem

    monkeypatch.setattr(bank._wire, "known", lambda our_id: None)
    monkeypatch.setattr(bank._wire, "call", call)
    monkeypatch.setattr(bank._wire, "state", state)
    said = bank.charge(charge(token="101709"))
    assert (said.status, said.reference, said.decline) == (Status.UNKNOWN, "7", None)
