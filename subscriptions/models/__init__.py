from subscriptions.models.change import Change
from subscriptions.models.discount import PersonalDiscount, PromoCode, Redemption, TermDiscount
from subscriptions.models.meter import Meter
from subscriptions.models.plan import Plan, Price
from subscriptions.models.price_move import Moving, PriceMove
from subscriptions.models.subscription import Period, Subscription

__all__ = [
    "Change",
    "Meter",
    "Moving",
    "Period",
    "PersonalDiscount",
    "Plan",
    "Price",
    "PriceMove",
    "PromoCode",
    "Redemption",
    "Subscription",
    "TermDiscount",
]
