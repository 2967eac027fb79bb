"""A cinema with customers and staff. The acquirer is in memory; the tests are the customers and the staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User
from billing import payments
from billing.models import Payment, Refund
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests import fake_acquirer
from tests.admin.desk import Desk
from tests.fake_acquirer import FakeAcquirer
from tests.things import now, plan, run_until_idle, viewer


@pytest.fixture
def acquirer(settings: Any) -> FakeAcquirer:
    settings.ACQUIRERS = fake_acquirer.SETTING
    return fake_acquirer.installed()


@pytest.fixture
def plans(db: None, acquirer: FakeAcquirer) -> None:
    plan("month", 1, 29_900, name="One month")
    plan("year", 12, 269_900, name="One year", position=1)


@pytest.fixture
def anna(plans: None) -> User:
    return viewer("anna@example.org", name="Anna Karenina")


@pytest.fixture
def buy(plans: None, acquirer: FakeAcquirer) -> Callable[..., Payment]:
    """Somebody subscribes, and pays unless told not to."""

    def buy(user: User, code: str = "year", pay: bool = True) -> Payment:
        order = lifecycle.Order(plan=code, save_card=True)
        payment = lifecycle.subscribe(user.pk, order, actor=f"user:{user.pk}", at=now()).payment
        if pay:
            acquirer.pay(payment.pk)
            payments.check(payment.pk, at=now())
            run_until_idle(now())
        return Payment.objects.get(pk=payment.pk)

    return buy


@pytest.fixture
def paid(anna: User, buy: Callable[..., Payment]) -> Payment:
    """Anna's payment of a year."""
    return buy(anna)


@pytest.fixture
def subscription(paid: Payment) -> Subscription:
    return Subscription.objects.get(user=paid.user)


@pytest.fixture
def failed_refund(paid: Payment, acquirer: FakeAcquirer) -> Refund:
    from billing import refunds

    acquirer.program("refund", fake_acquirer.Fault.DECLINE)
    return refunds.request(paid.pk, amount=None, reason="Asked", actor="system", at=now())


@pytest.fixture
def staff(db: None) -> Callable[..., Desk]:
    """Makes a member of staff in a role, or with single permissions ("billing.view_payment"), who is logged in."""

    def make(*rights: str) -> Desk:
        user = viewer(is_staff=True)
        for right in rights:
            app, dot, codename = right.partition(".")
            if dot:
                user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
            else:
                user.groups.add(Group.objects.get(name=right))
        return Desk(Client(), user)

    return make


@pytest.fixture
def support(staff: Callable[..., Desk]) -> Desk:
    return staff("support")


@pytest.fixture
def manager(staff: Callable[..., Desk]) -> Desk:
    return staff("billing manager")


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(Client(), User.objects.create_superuser("root@example.org", "secret-enough"))
