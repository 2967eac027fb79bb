"""Billing for staff: money is only looked at here; what moves it are verbs with a confirmation and a reason."""

from django.contrib import admin

from billing.admin import acquirers, books, cases, halts, invoices, payments, products, queues, receipts, refunds

admin.site.enable_nav_sidebar = False  # lists of money need the width; the front page leads everywhere

__all__ = ["acquirers", "books", "cases", "halts", "invoices", "payments", "products", "queues", "receipts", "refunds"]
