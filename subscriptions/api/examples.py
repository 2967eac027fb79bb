"""True examples for the OpenAPI page; a test compares them with real answers."""

from __future__ import annotations

from typing import Any

from billing.api.examples import INVOICE, PAYMENT, REFUND, SUBSCRIPTION

EXPLAINED = (
    "One year is paid to 20 November 2027, 20:03 MSK. Access (cinema) goes on to 22 November 2027, 20:03 MSK: 2 days "
    "of grace follow the term. It does not renew by itself: nothing is charged unless the customer pays."
)
PLAN_JSON: dict[str, Any] = {
    "id": 4,
    "code": "year",
    "name": "One year",
    "description": "All year, at the best price.",
    "months": 12,
    "price": {"amount": "2699.00", "currency": "RUB"},
    "saving": {"amount": "889.00", "currency": "RUB", "percent": 24},
    "roles": ["cinema"],
    "refund_policy": "unused_months",
    "grace_days": 2,
}
NEW_PLAN: dict[str, Any] = {
    "code": "two-years",
    "name": "Two years",
    "months": 24,
    "price": {"amount": "4999.00", "currency": "RUB"},
}
PRICE_JSON: dict[str, Any] = {
    "id": 12,
    "price": {"amount": "2999.00", "currency": "RUB"},
    "starts_at": "2026-12-31T21:00:00Z",
    "frozen": False,
}
STAFF_PLAN_JSON: dict[str, Any] = {
    "id": 4,
    "code": "year",
    "name": "One year",
    "description": "All year, at the best price.",
    "hourly": False,
    "months": 12,
    "roles": ["cinema"],
    "refund_policy": "unused_months",
    "grace_days": 2,
    "renewal_lead_hours": 0,
    "reminder_days": 3,
    "time_zone": "Europe/Moscow",
    "on_sale": True,
    "hidden": True,
    "archived": False,
    "sale_from": None,
    "sale_until": "2026-12-31T21:00:00Z",
    "position": 1,
    "prices": [PRICE_JSON],
}
MOVE_ROW_JSON: dict[str, Any] = {
    "id": "4a1c2d3e-5f60-4718-8293-a4b5c6d7e8f9",
    "status": "draft",
    "plan": "year",
    "from_price": None,
    "to_price": 12,
    "new_price": {"amount": "2999.00", "currency": "RUB"},
    "effective_from": "2027-01-31T21:00:00Z",
    "reason": "Dearer films",
    "created_at": "2026-11-20T17:03:40Z",
}
MOVE_JSON: dict[str, Any] = MOVE_ROW_JSON | {
    "people": 1,
    "who": [
        {
            "subscription": SUBSCRIPTION,
            "old_price": {"amount": "2699.00", "currency": "RUB"},
            "first_at": "2027-11-20T17:03:40Z",
        }
    ],
}
PROMO_JSON: dict[str, Any] = {
    "code": "SPRING",
    "percent": 10,
    "amount": None,
    "valid_from": "2026-11-20T17:03:40Z",
    "valid_until": None,
    "total_limit": 500,
    "per_user_limit": 1,
    "plans": ["year"],
    "every_term": False,
    "is_on": True,
    "taken": 0,
    "created_at": "2026-11-20T17:03:40Z",
}
PERSONAL_JSON: dict[str, Any] = {
    "id": 3,
    "user_id": "7c9d3f0e-5b7a-4a3c-9d53-0f6f3c6f2a11",
    "email": "anna@example.org",
    "percent": 15,
    "valid_from": "2026-11-20T17:03:40Z",
    "valid_until": None,
    "note": "A friend of the house",
}
MONTHS_JSON: dict[str, Any] = {"id": 2, "months": 6, "percent": 10}
QUOTE_JSON: dict[str, Any] = {
    "plan": "year",
    "total": "2429.10",
    "currency": "RUB",
    "list_price": "2699.00",
    "candidates": [
        {
            "kind": "promo",
            "name": "Promo code SPRING 10%",
            "saves": "269.90",
            "applied": True,
            "why": "Promo code SPRING 10%: takes off 269.90\u00a0₽, which is the most, so it is applied.",
        }
    ],
    "applied": "Promo code SPRING 10%",
    "promo_code": "SPRING",
    "explanation": "One year, 12 months: 2\u00a0699.00\u00a0₽ less 269.90\u00a0₽ (Promo code SPRING 10%) is "
    "2\u00a0429.10\u00a0₽. Promo code SPRING 10%: takes off 269.90\u00a0₽, which is the most, so it is applied. "
    "The price of 2\u00a0699.00\u00a0₽ for 12 months counts since 1 January 2026.",
}
SUBSCRIPTION_JSON: dict[str, Any] = {
    "id": SUBSCRIPTION,
    "status": "active",
    "plan": {"id": 4, "code": "year", "name": "One year", "months": 12},
    "price": {"amount": "2699.00", "currency": "RUB"},
    "valid_till": "2027-11-20T17:03:40Z",
    "access_until": "2027-11-22T17:03:40Z",
    "auto_renew": False,
    "next_plan": None,
    "switches_at": None,
    "trial": False,
    "paused_at": None,
    "started_at": "2026-11-20T17:03:40Z",
    "cancelled_at": None,
    "created_at": "2026-11-20T17:02:11Z",
}
NEXT_CHARGE_JSON: dict[str, Any] = {
    "at": "2027-11-20T17:03:40Z",
    "amount": "2699.00",
    "currency": "RUB",
    "card": "Visa •••• 4242, 12/2030",
}
RENEWAL_JSON: dict[str, Any] = {
    "id": SUBSCRIPTION,
    "status": "active",
    "auto_renew": True,
    "next_charge": NEXT_CHARGE_JSON,
}
DETAIL_JSON: dict[str, Any] = SUBSCRIPTION_JSON | {
    "next_charge": None,
    "cancellation": {
        "refund": "2474.08",
        "currency": "RUB",
        "access_until": "2026-12-20T17:03:40Z",
        "explanation": "11 of 12 months have not begun. 2\u00a0699.00\u00a0₽ split over the months gives "
        "2\u00a0474.08\u00a0₽ for them; access goes on to the end of the month in progress.",
    },
    "explanation": EXPLAINED,
}
SUBSCRIBED_JSON: dict[str, Any] = {
    "id": SUBSCRIPTION,
    "status": "pending",
    "invoice": INVOICE,
    "payment": PAYMENT,
    "redirect_url": "https://bank.example/pay/pay_7Kd2",
}
UNSUBSCRIBED_JSON: dict[str, Any] = {
    "id": SUBSCRIPTION,
    "status": "cancelled",
    "access_until": "2026-12-20T17:03:40Z",
    "refund": {"id": REFUND, "amount": "2474.08", "currency": "RUB", "status": "succeeded"},
    "refunds": [{"id": REFUND, "amount": "2474.08", "currency": "RUB", "status": "succeeded"}],
    "explanation": DETAIL_JSON["cancellation"]["explanation"],
}
ACCESS_JSON: dict[str, Any] = {
    "user_id": "7c9d3f0e-5b7a-4a3c-9d53-0f6f3c6f2a11",
    "entitlements": [{"role": "cinema", "until": "2027-11-22T17:03:40Z"}],
}
TARIFFS_JSON: dict[str, Any] = {
    "results": [
        {
            "id": 9,
            "code": "hourly",
            "name": "By the hour",
            "description": "",
            "rate": {"amount": "10.00", "currency": "RUB"},
            "roles": ["cinema"],
        }
    ],
    "next": None,
    "previous": None,
}
