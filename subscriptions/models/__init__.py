from subscriptions.models.meter import Meter
from subscriptions.models.plan import Plan, Price
from subscriptions.models.subscription import Period, Subscription

__all__ = ["Meter", "Period", "Plan", "Price", "Subscription"]
