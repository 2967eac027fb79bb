"""Subscriptions for staff: their own pages, and what they add to the pages of people and of money."""

from subscriptions.admin import person, plans, price_moves, prices, subscriptions, terms

__all__ = ["person", "plans", "price_moves", "prices", "subscriptions", "terms"]
