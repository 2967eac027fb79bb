"""Subscriptions for staff: their own pages, and what they add to the pages of people and of money."""

from subscriptions.admin import discounts, person, plans, price_moves, prices, subscriptions, terms

__all__ = ["discounts", "person", "plans", "price_moves", "prices", "subscriptions", "terms"]
