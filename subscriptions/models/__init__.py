from subscriptions.models.change import Change
from subscriptions.models.plan import Plan, Price
from subscriptions.models.subscription import Period, Subscription

__all__ = ["Change", "Period", "Plan", "Price", "Subscription"]
