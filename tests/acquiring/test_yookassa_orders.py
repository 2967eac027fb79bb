"""What we write to YooKassa, and whom we take for it. No network."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from moneyed import Money

from acquiring.backends.yookassa import networks, orders
from acquiring.types import Receipt, ReceiptItem
from tests.acquiring.far import charge


def test_amounts_are_texts_with_their_digits():
    assert orders.amount(Money("1000", "RUB")) == {"value": "1000.00", "currency": "RUB"}
    assert orders.amount(Money("0.01", "RUB")) == {"value": "0.01", "currency": "RUB"}
    with pytest.raises(ValueError, match="whole number"):
        orders.amount(Money("0.001", "RUB"))


def test_times_are_utc_in_milliseconds():
    moscow = datetime(2026, 11, 20, 3, 0, 0, 123456, UTC).astimezone(None)
    assert orders.moment(moscow) == "2026-11-20T03:00:00.123Z"


def test_a_receipt_is_written_in_their_codes():
    item = ReceiptItem("Films", Decimal("3"), Money("299.00", "RUB"), "20/120", "service", "full_prepayment")
    receipt = Receipt((item,), phone="79000000000", tax_system="usn_income_outcome")
    assert orders.page(charge(receipt=receipt), "")["receipt"] == {
        "customer": {"phone": "79000000000"},
        "tax_system_code": 3,
        "internet": True,
        "items": [
            {
                "description": "Films × 3",
                "quantity": "1.000",
                "amount": {"value": "299.00", "currency": "RUB"},
                "vat_code": 6,
                "payment_subject": "service",
                "payment_mode": "full_prepayment",
            }
        ],
    }


@pytest.mark.parametrize(("vat", "code"), list(orders.VAT.items()))
def test_every_vat_has_a_code(vat, code):
    item = ReceiptItem("x" * 200, Decimal(1), Money("299.00", "RUB"), vat)
    (written,) = orders.by_token(charge(receipt=Receipt((item,), "a@b.c")))["receipt"]["items"]
    assert (written["vat_code"], len(written["description"])) == (code, 128)


# The vectors of their documentation.
@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("185.71.76.5", True), ("185.71.76.31", True), ("185.71.76.32", False), ("77.75.156.11", True),
        ("77.75.156.12", False), ("77.75.154.200", True), ("77.75.154.1", False), ("2a02:5180:0:1509::1", True),
        ("2a02:5180::1", True), ("127.0.0.1", False), ("", False), ("x", False),
    ],
)  # fmt: skip
def test_their_networks_are_known(address, trusted):
    assert networks.is_theirs(address) is trusted
