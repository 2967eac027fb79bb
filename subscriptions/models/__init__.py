from subscriptions.models.plan import Plan, Price
from subscriptions.models.subscription import Period, Subscription

__all__ = ["Period", "Plan", "Price", "Subscription"]
