from subscriptions.models.discount import PersonalDiscount, PromoCode, Redemption, TermDiscount
from subscriptions.models.meter import Meter
from subscriptions.models.plan import Plan, Price
from subscriptions.models.subscription import Period, Subscription

__all__ = [
    "Meter",
    "Period",
    "PersonalDiscount",
    "Plan",
    "Price",
    "PromoCode",
    "Redemption",
    "Subscription",
    "TermDiscount",
]
