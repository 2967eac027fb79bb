"""Stripe: Checkout for customers who are present, PaymentIntents for saved cards."""

from acquiring.backends.stripe.protocol import Stripe

__all__ = ["Stripe"]
