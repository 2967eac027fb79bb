"""Subscriptions for staff: their own pages, and what they add to the pages of people and of money."""

from subscriptions.admin import changes, discounts, person, plans, price_moves, prices, subscriptions, terms

__all__ = ["changes", "discounts", "person", "plans", "price_moves", "prices", "subscriptions", "terms"]
