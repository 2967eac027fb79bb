from subscriptions.models.change import Change
from subscriptions.models.meter import Meter
from subscriptions.models.plan import Plan, Price
from subscriptions.models.subscription import Period, Subscription

__all__ = ["Change", "Meter", "Period", "Plan", "Price", "Subscription"]
