"""What one subscriber does with money that lies in the shop: top up, pay from it, have it back; tariffs and orders."""

from __future__ import annotations

from typing import Any

from moneyed import Money

from billing import ledger, money, orders, wallets
from billing.models import Account, Invoice, Payment, Product
from simulation.shop import Visitor
from subscriptions import metering
from subscriptions.models import Plan, Subscription

BACK = "http://shop.invalid/payments/{payment}/"


class Purse:
    """One visitor's wallet, the tariffs that it pays and what else is bought."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._dice = visitor.dice

    def holds(self) -> int:
        """What is in the wallet now (minor units)."""
        account = Account.objects.filter(user_id=self._visitor.user_id, kind=Account.Kind.WALLET).first()
        return money.to_minor(ledger.balance(account)) if account else 0

    def top_up(self) -> Payment | None:
        """Puts some money in, from one kopeck to some months; comes to the bank's page, perhaps with a second click."""
        amount = money.from_minor(self._dice.choice((1, 9_900, 30_000, 100_000, self._dice.randint(1, 300_000))), "RUB")
        wanted = wallets.TopUp(
            amount=amount,
            acquirer=self._visitor.acquirer(),
            return_url=BACK,
            save_card=self._dice.random() < 0.2,
            request_key=self._key("top up"),
        )
        made: Payment | None = self._visitor.act(
            f"top up {amount.amount}",
            lambda: wallets.top_up(self._visitor.user_id, wanted, **self._now()),
            twin=self._dice.random() < 0.4,
        )
        return made

    def pay(self, invoice: Invoice) -> None:
        """Pays an open invoice from the wallet, or tries to."""
        self._visitor.act(
            "pay from the wallet", lambda: wallets.pay(invoice.pk, **self._now()), twin=self._dice.random() < 0.3
        )

    def close(self) -> None:
        """Has back what is left; sometimes with a figure that was shown before."""
        if not self.holds() and self._dice.random() < 0.8:
            return  # it is empty, as is seen there
        shown = money.from_minor(self.holds() or 100, "RUB") if self._dice.random() < 0.5 else None
        self._visitor.act("close the wallet", lambda: self._close(shown), twin=self._dice.random() < 0.3)

    def _close(self, shown: Money | None) -> None:
        wallets.close(self._visitor.user_id, "RUB", reason="Leaves", expected_balance=shown, **self._now())

    def start_tariff(self) -> None:
        """Begins to watch by the hour."""
        plan, key = self._tariff(), self._key("tariff")
        self._visitor.act(
            f"start tariff {plan}",
            lambda: metering.start(self._visitor.user_id, plan, request_key=key, **self._now()),
            twin=self._dice.random() < 0.3,
        )

    def change_tariff(self, subscription: Subscription) -> None:
        """Another tariff, or by mistake the same."""
        plan = self._tariff()
        self._visitor.act(
            f"change tariff {plan}",
            lambda: metering.change_tariff(subscription.pk, plan, **self._now()),
            twin=self._dice.random() < 0.3,
        )

    def buy(self) -> Payment | None:
        """Orders something, a few pieces of it."""
        product = self._dice.choice(list(Product.objects.order_by("pk")))
        wanted = orders.Wanted(
            product_id=product.pk,
            count=self._dice.randint(0, 5),
            acquirer=self._visitor.acquirer(),
            return_url=BACK,
            request_key=self._key("order"),
        )
        made: Payment | None = self._visitor.act(
            f"order {product.code}",
            lambda: orders.buy(self._visitor.user_id, wanted, **self._now()),
            twin=self._dice.random() < 0.4,
        )
        return made

    def _tariff(self) -> str:
        return str(self._dice.choice(list(Plan.objects.filter(hourly=True).order_by("pk"))).code)

    def _key(self, what: str) -> str | None:
        """A key of the request: two clicks with it are one order. Without it they are two."""
        step = self._visitor.world.diary.step
        return f"{what}:{self._visitor.number}-{step}" if self._dice.random() < 0.8 else None

    def _now(self) -> dict[str, Any]:
        return {"actor": self._visitor.actor, "at": self._visitor.world.now}
