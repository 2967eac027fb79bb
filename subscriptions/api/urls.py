"""Mounted at /api/v1/, last of all: what no other pattern took is answered here, in the one shape of errors."""

from typing import Any

from django.urls import re_path
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.slashes import both
from billing.api.fields import UUID_PATH
from subscriptions.api import (
    access,
    changes,
    discounts,
    payments,
    plan_staff,
    plans,
    price_moves,
    promo_codes,
    staff,
    subscriptions,
    tariffs,
)


@extend_schema(exclude=True)
class Nowhere(APIView):
    """Every address of the API that there is not."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound


SUBSCRIPTION = f"(?P<subscription_id>{UUID_PATH})"

PLAN = "(?P<plan>[A-Za-z0-9_-]+)"
PROMO = "(?P<code>[A-Za-z0-9_-]{1,40})"
DISCOUNT = "(?P<discount_id>[1-9][0-9]{0,17})"
MOVE = f"(?P<move_id>{UUID_PATH})"

urlpatterns = [
    both("subscriptions", subscriptions.Subscriptions.as_view(), "api-subscriptions"),
    both("subscriptions/subscribe", subscriptions.Subscribe.as_view(), "api-subscribe"),
    both("subscriptions/unsubscribe", subscriptions.Unsubscribe.as_view(), "api-unsubscribe"),
    both("subscriptions/renewal", subscriptions.Renewal.as_view(), "api-renewal"),
    both("subscriptions/change", changes.Change.as_view(), "api-change"),
    both("subscriptions/change/quote", changes.ChangeQuote.as_view(), "api-change-quote"),
    both("subscriptions/next-plan", changes.NextPlan.as_view(), "api-next-plan"),
    both("subscriptions/pause", changes.Pause.as_view(), "api-pause"),
    both("subscriptions/resume", changes.Resume.as_view(), "api-resume"),
    both("subscriptions/trial", changes.Trial.as_view(), "api-trial"),
    both("subscriptions/give", staff.Give.as_view(), "api-give"),
    both(f"subscriptions/{SUBSCRIPTION}/extend", staff.Extend.as_view(), "api-staff-extend"),
    both(f"subscriptions/{SUBSCRIPTION}/favour", staff.Favour.as_view(), "api-staff-favour"),
    both(f"subscriptions/{SUBSCRIPTION}/pause", staff.Pause.as_view(), "api-staff-pause"),
    both(f"subscriptions/{SUBSCRIPTION}/resume", staff.Resume.as_view(), "api-staff-resume"),
    both(f"subscriptions/{SUBSCRIPTION}/cancel", staff.Cancel.as_view(), "api-staff-cancel"),
    both("subscriptions/quote", plans.Quote.as_view(), "api-quote"),
    both("subscriptions/plans", plans.Plans.as_view(), "api-plans"),
    both("subscriptions/plans/new", plans.NewPlan.as_view(), "api-plan-new"),
    both("subscriptions/plans/all", plan_staff.AllPlans.as_view(), "api-plans-all"),
    both(f"subscriptions/plans/{PLAN}/change", plan_staff.ChangePlan.as_view(), "api-plan-change"),
    both(f"subscriptions/plans/{PLAN}/prices", plan_staff.NewPrice.as_view(), "api-price-new"),
    both("subscriptions/price-moves", price_moves.Moves.as_view(), "api-price-moves"),
    both(f"subscriptions/price-moves/{MOVE}", price_moves.Move.as_view(), "api-price-move"),
    both(f"subscriptions/price-moves/{MOVE}/announce", price_moves.Announce.as_view(), "api-price-move-announce"),
    both(f"subscriptions/price-moves/{MOVE}/withdraw", price_moves.Withdraw.as_view(), "api-price-move-withdraw"),
    both("subscriptions/promo-codes", promo_codes.PromoCodes.as_view(), "api-promo-codes"),
    both(f"subscriptions/promo-codes/{PROMO}", promo_codes.PromoDetail.as_view(), "api-promo-code"),
    both(f"subscriptions/promo-codes/{PROMO}/change", promo_codes.ChangePromo.as_view(), "api-promo-code-change"),
    both("subscriptions/discounts/personal", discounts.PersonalDiscounts.as_view(), "api-personal-discounts"),
    both(f"subscriptions/discounts/personal/{DISCOUNT}", discounts.PersonalDetail.as_view(), "api-personal-discount"),
    both(
        f"subscriptions/discounts/personal/{DISCOUNT}/change",
        discounts.ChangePersonal.as_view(),
        "api-personal-discount-change",
    ),
    both("subscriptions/discounts/months", discounts.MonthsDiscounts.as_view(), "api-months-discounts"),
    both(f"subscriptions/discounts/months/{DISCOUNT}", discounts.MonthsDetail.as_view(), "api-months-discount"),
    both(
        f"subscriptions/discounts/months/{DISCOUNT}/change",
        discounts.ChangeMonths.as_view(),
        "api-months-discount-change",
    ),
    both("subscriptions/plans/(?P<plan>[A-Za-z0-9_-]+)", plans.PlanDetail.as_view(), "api-plan"),
    both("subscriptions/tariffs", tariffs.Tariffs.as_view(), "api-tariffs"),
    both("subscriptions/tariffs/start", tariffs.Start.as_view(), "api-tariff-start"),
    both("subscriptions/tariffs/change", tariffs.Change.as_view(), "api-tariff-change"),
    both(f"subscriptions/{SUBSCRIPTION}", subscriptions.SubscriptionDetail.as_view(), "api-subscription"),
    both(
        f"subscriptions/{SUBSCRIPTION}/payments", payments.SubscriptionPayments.as_view(), "api-subscription-payments"
    ),
    both("payments/payment", payments.Pay.as_view(), "api-payment-begin"),
    both(f"payments/subscription/{SUBSCRIPTION}", payments.PaymentsOfSubscription.as_view(), "api-payments-of"),
    both("access", access.Access.as_view(), "api-access"),
    re_path(r"", Nowhere.as_view(), name="api-nowhere"),
]
