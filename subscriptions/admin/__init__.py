"""Subscriptions for staff: their own pages, and what they add to the pages of people and of money."""

from subscriptions.admin import discounts, person, plans, subscriptions, terms

__all__ = ["discounts", "person", "plans", "subscriptions", "terms"]
