"""What one subscriber makes of a running subscription: another plan now or later, a rest, a trial."""

from __future__ import annotations

from functools import partial
from typing import Any

from billing.models import Payment
from simulation.patience import TRIES
from simulation.shop import Visitor
from subscriptions import changes, grants, next_plans, pauses, trials
from subscriptions.models import Subscription

OFFICE = "user:staff"


class Changes:
    """One visitor's wishes."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._dice = visitor.dice

    def wish(self, subscription: Subscription) -> Payment | None:
        """One of them, by the dice. Returns the payment that it waits for, if any."""
        draw = self._dice.random()
        if subscription.next_plan_id and draw < 0.5:
            self._do("keep the plan", lambda: next_plans.keep_plan(subscription.pk, **self._now()))
        elif draw < 0.55:
            return self._upgrade(subscription)
        elif draw < 0.75:
            self.think_ahead(subscription)
        else:
            self._do("pause", lambda: pauses.pause(subscription.pk, by_customer=True, **self._now()))
        return None

    def think_ahead(self, subscription: Subscription) -> None:
        """Another plan from the next term on."""
        self._do("another plan next", lambda: next_plans.plan_next(subscription.pk, self._plan(), **self._now()))

    def resume(self, subscription: Subscription) -> None:
        """Goes on after a rest."""
        self._do("go on", lambda: pauses.resume(subscription.pk, by_customer=True, **self._now()))

    def try_out(self) -> None:
        """Begins a trial, or hears that it is had already."""
        plan = self._plan()
        self._do(f"try {plan}", lambda: trials.begin(self._visitor.user_id, plan, **self._now()))

    def _upgrade(self, subscription: Subscription) -> Payment | None:
        """A dearer plan at once: on the bank's page, or by the saved card."""
        order = self._visitor.order(self._longer(subscription))
        by_card = self._visitor.card() is not None and self._dice.random() < 0.4
        for _ in range(TRIES):
            made = self._visitor.act(
                f"upgrade to {order.plan}",
                lambda: changes.upgrade(subscription.pk, order, by_saved_card=by_card, **self._now()),
                twin=self._dice.random() < 0.3,
            )
            if not self._visitor.world.result.startswith("died"):
                break
        if made and not by_card and self._dice.random() < 0.3:
            self._call_support(subscription)
        elif made and not by_card and self._dice.random() < 0.15:
            self._visitor.cancel(subscription)  # and pays what is open in another tab
        return made.payment if made else None

    def _call_support(self, subscription: Subscription) -> None:
        """While the page is open, support give a week for nothing: the term is another one when it is paid."""
        week = grants.Gift("", days=7)
        verb = partial(
            grants.extend, subscription.pk, week, actor=OFFICE, at=self._visitor.world.now, reason="The page was slow"
        )
        self._visitor.world.act("staff", f"extend {subscription.pk}", verb)

    def _longer(self, subscription: Subscription) -> str:
        """A plan that stands behind the one of now, mostly."""
        plans, mine = self._visitor.plans, subscription.plan.code
        behind = plans[plans.index(mine) + 1 :] if mine in plans else []
        return self._dice.choice(behind) if behind and self._dice.random() < 0.8 else self._plan()

    def _plan(self) -> str:
        return self._dice.choice(self._visitor.plans)

    def _do(self, what: str, verb: object) -> None:
        self._visitor.act(what, verb, twin=self._dice.random() < 0.3)

    def _now(self) -> dict[str, Any]:
        return {"actor": self._visitor.actor, "at": self._visitor.world.now}
