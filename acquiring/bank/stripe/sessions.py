"""Checkout Sessions, and where the merchant wants its events."""

from __future__ import annotations

import json

from acquiring.bank.house import the_bank
from acquiring.bank.records import OPEN, Order, Payment, Refusal, stamp
from acquiring.bank.stripe import forms
from acquiring.bank.stripe.forms import Body, Refused
from acquiring.bank.stripe.names import SESSION, bank_id, extra, unix

_KNOWN = (
    "mode success_url cancel_url client_reference_id customer customer_email customer_creation line_items metadata "
    "payment_intent_data payment_method_types expires_at locale"
)
_ITEM, _PRICE = "quantity price_data", "currency unit_amount product_data"
_INTENT = "metadata setup_future_usage capture_method description receipt_email"
TONGUE = "stripe"


def opened(body: Body) -> Payment:
    """A new page. Raises Refused."""
    bank = the_bank()
    forms.known_only(body, _KNOWN)
    if forms.text(body, "mode") != "payment":
        raise Refused(400, "This bank's Checkout is for payments only.", param="mode")
    intent = forms.part(body, "payment_intent_data")
    forms.known_only(intent, _INTENT, "payment_intent_data")
    keep = forms.choice(intent, "setup_future_usage", "none off_session on_session", "none") == "off_session"
    customer = forms.text(body, "customer", required=False)
    created = forms.choice(body, "customer_creation", "always if_required", "if_required") == "always" or keep
    if customer and "customer_creation" in body:
        raise Refused(400, "You may only specify one of these parameters: customer, customer_creation.")
    amount, currency, name = _bill(body)
    about = forms.metadata(intent)
    kept = {
        "kind": SESSION,
        "metadata": forms.metadata(body),
        "intent_metadata": about,
        "client_reference_id": forms.text(body, "client_reference_id", required=False, most=200) or None,
        "success_url": forms.text(body, "success_url"),
        "cancel_url": forms.text(body, "cancel_url", required=False) or None,
        "payment_method_types": forms.words(body, "payment_method_types"),
    }
    order = Order(
        order_id=str(about.get("order_id", "")),
        amount=amount,
        currency=currency,
        description=forms.text(intent, "description", required=False) or name,
        customer=customer or (bank.journal.new_id("cus") if created else ""),
        email=forms.text(body, "customer_email", required=False),
        return_url=forms.text(body, "success_url"),
        callback_url=endpoint_url(),
        save_card=keep,
        capture=forms.choice(intent, "capture_method", "automatic automatic_async manual", "automatic") != "manual",
        expires_at=forms.expiry(body, bank.journal.now()),
        tongue=TONGUE,
        extra=json.dumps(kept),
    )
    return bank.desk.open(order, anew=True)[0]


def by_id(session_id: str) -> Payment:
    """The page with that id. Raises Refused (404)."""
    try:
        payment = the_bank().desk.get(bank_id(session_id, "cs_test"))
    except Refusal:
        payment = None
    if payment is None or payment.tongue != TONGUE or extra(payment).get("kind") != SESSION:
        raise Refused(404, f"No such checkout.session: {session_id}", "resource_missing", "session")
    return payment


def expired(session_id: str) -> Payment:
    """Closes an open page. Raises Refused where it is over already."""
    payment = by_id(session_id)
    if payment.status not in OPEN:
        status = "expired" if payment.status in ("voided", "expired") else "complete"
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {status}.'
        raise Refused(400, message)
    return the_bank().desk.void(payment.id)


def endpoint(body: Body) -> Body:
    """Keeps the address for events. Raises Refused."""
    bank = the_bank()
    forms.known_only(body, "url enabled_events description api_version metadata")
    url, events = forms.text(body, "url"), forms.words(body, "enabled_events")
    if not url.startswith(("http://", "https://")) or not events:
        raise Refused(400, "A webhook endpoint needs an address and events.", param="url")
    made, at = bank.journal.new_id("we"), stamp(bank.journal.now())
    bank.books.query("INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?, ?)", TONGUE, made, url, at)
    return {
        "id": made,
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": unix(at),
        "description": None,
        "enabled_events": events,
        "livemode": False,
        "metadata": {},
        "secret": bank.config.callback_secret,
        "status": "enabled",
        "url": url,
    }


def endpoint_url() -> str:
    """Where events go; "" for the bank's own setting."""
    found = the_bank().books.query("SELECT url FROM endpoints WHERE tongue = ?", TONGUE)
    return str(found[0]["url"]) if found else ""


def _bill(body: Body) -> tuple[int, str, str]:
    """The amount, its currency, and what the first line is called."""
    total, currency, name = 0, "", ""
    for line in forms.part(body, "line_items").values():
        if not isinstance(line, dict):
            raise Refused(400, "Invalid object", param="line_items")
        forms.known_only(line, _ITEM, "line_items")
        price = forms.part(line, "price_data")
        forms.known_only(price, _PRICE, "line_items[price_data]")
        currency = forms.currency(price)
        total += (forms.number(price, "unit_amount") or 0) * (forms.number(line, "quantity") or 0)
        name = name or forms.text(forms.part(price, "product_data"), "name", most=1000)
    if not total:
        raise Refused(400, "Missing required param: line_items.", "parameter_missing", "line_items")
    return total, currency, name
