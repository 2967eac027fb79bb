"""Billing for staff: money is only looked at here; what moves it are verbs with a confirmation and a reason."""

from billing.admin import books, invoices, payments, queues, refunds

__all__ = ["books", "invoices", "payments", "queues", "refunds"]
