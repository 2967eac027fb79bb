"""How T-Bank's protocol names and writes what stands in the bank's books: ids are numbers, money is kopecks."""

from __future__ import annotations

import json
from typing import Any

from acquiring.bank.books import Books
from acquiring.bank.cards import DECLINES
from acquiring.bank.records import Operation, Payment, Refund, Token, plastic_from

PAYMENTS_FROM = 3_093_600_000
REBILLS_FROM = 6_155_300_000
CARDS_FROM = 10_452_000
OUTSIDE = 881_000_000  # the cards that were not kept
CODES = {
    "do_not_honor": "1005",
    "insufficient_funds": "1051",
    "limit_exceeded": "1061",
    "issuer_unavailable": "1091",
    "processing_error": "1096",
    "expired_card": "1054",
    "unknown_token": "107",
    "authentication_required": "106",
    "3ds_failed": "101",
    "3ds_cancelled": "108",
    "stolen_card": "1043",
    "lost_card": "1041",
    "merchant_misconfigured": "501",
    "refund_declined": "1005",
}
_AUTH_FAILED = ("3ds_failed", "3ds_cancelled")
_FIRST_SIX = {"visa": "424242", "mastercard": "555555", "mir": "220000"}


def payment_number(books: Books, payment_id: str) -> int:
    """The PaymentId of a payment in the books."""
    rows = books.query("SELECT seq FROM payments WHERE id = ?", payment_id)
    return PAYMENTS_FROM + int(rows[0]["seq"])


def payment_of(books: Books, number: object) -> Payment | None:
    """The payment with this PaymentId, a text or a number; one of another protocol is not T-Bank's."""
    written = str(number)
    if not written.isdecimal() or len(written) > 15:
        return None
    return books.first(Payment, "seq = ? AND tongue = 'tbank'", int(written) - PAYMENTS_FROM)


def token_of(books: Books, rebill: object) -> Token | None:
    """The saved card with this RebillId that was not removed."""
    written = str(rebill)
    if not written.isdecimal() or len(written) > 15:
        return None
    row = int(written) - REBILLS_FROM
    return None if removed(books, row) else books.first(Token, "rowid = ?", row)


def removed(books: Books, row: int) -> bool:
    """Whether a saved card was removed."""
    return bool(books.query("SELECT 1 FROM answers WHERE key = ?", f"tbank:removed:{row}"))


def said(payment: Payment) -> dict[str, Any]:
    """What Init said besides."""
    kept: dict[str, Any] = json.loads(payment.extra) if payment.extra else {}
    return kept


def state(books: Books, payment: Payment) -> str:
    """The payment's status in T-Bank's words."""
    match payment.status:
        case "created":
            return "NEW"
        case "awaiting_3ds":
            return "3DS_CHECKING"
        case "authorized":
            return "AUTHORIZED"
        case "declined":
            return "AUTH_FAIL" if payment.decline_code in _AUTH_FAILED else "REJECTED"
        case "expired":
            return "DEADLINE_EXPIRED"
        case "voided":
            return "REVERSED" if books.first(Operation, "id = ?", payment.id) else "CANCELED"
    if books.first(Refund, "payment_id = ? AND status = 'pending'", payment.id):
        return "REFUNDING"
    if payment.refunded:
        return "REFUNDED" if payment.refunded == payment.captured else "PARTIAL_REFUNDED"
    return "CONFIRMED"


def amount(payment: Payment) -> int:
    """The sum of the operation: what was taken, and else what was asked for."""
    return payment.captured if payment.status == "succeeded" else payment.amount


def envelope(books: Books, terminal: str, payment: Payment) -> dict[str, Any]:
    """What every answer about a payment says."""
    return {
        "Success": True,
        "ErrorCode": "0",
        "TerminalKey": terminal,
        "Status": state(books, payment),
        "PaymentId": str(payment_number(books, payment.id)),
        "OrderId": payment.order_id,
        "Amount": amount(payment),
    }


def decline(code: str) -> dict[str, Any]:
    """What an answer says besides when the money did not move."""
    if not code:
        return {}
    return {"Success": False, "ErrorCode": CODES[code], "Message": DECLINES[code].message, "Details": ""}


def pan(payment: Payment) -> dict[str, Any]:
    """The card of a payment as notifications show it: numbers for ids, RebillId only where it was kept."""
    card = payment.plastic
    if card is None:
        return {}
    return {
        "Pan": f"{_FIRST_SIX.get(card.brand, '999999')}******{card.mask[-4:]}",
        "ExpDate": f"{card.exp_month:02d}{card.exp_year % 100:02d}",
    }


def kept_card(books: Books, payment: Payment) -> dict[str, Any]:
    """CardId, and RebillId where the card was kept."""
    if payment.card and not payment.token:
        return {"CardId": OUTSIDE + payment_number(books, payment.id) - PAYMENTS_FROM}
    if not payment.token:
        return {}
    row = _row(books, payment.token)
    return {"CardId": CARDS_FROM + row, "RebillId": REBILLS_FROM + row}


def card_list(books: Books, customer: str) -> list[dict[str, Any]]:
    """GetCardList: every card ever kept for a customer, the removed ones too."""
    listed = []
    for saved in books.select(Token, "customer = ? ORDER BY rowid", customer):
        row, card = _row(books, saved.token), plastic_from(saved.card)
        listed.append(
            {
                "CardId": str(CARDS_FROM + row),
                "Pan": f"{_FIRST_SIX.get(card.brand, '999999')}******{card.mask[-4:]}",
                "Status": "D" if removed(books, row) else "A",
                "RebillId": str(REBILLS_FROM + row),
                "CardType": 0,
                "ExpDate": f"{card.exp_month:02d}{card.exp_year % 100:02d}",
            }
        )
    return listed


def _row(books: Books, token: str) -> int:
    return int(books.query("SELECT rowid FROM tokens WHERE token = ?", token)[0][0])
