"""Subscriptions for staff: their own pages, and what they add to the pages of people and of money."""

from subscriptions.admin import changes, person, plans, subscriptions, terms

__all__ = ["changes", "person", "plans", "subscriptions", "terms"]
