"""W2 for staff: the statement on the person's page, and a wallet given back with a reason."""

from __future__ import annotations

import pytest
from moneyed import Money

from accounts.models import User
from billing import ledger, settlement, wallets
from billing.models import Event, Refund
from tests.fake_acquirer import FakeAcquirer
from tests.things import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(anna: User, acquirer: FakeAcquirer) -> User:
    """Anna with 500 rubles in her wallet."""
    payment = wallets.top_up(anna.pk, wallets.TopUp(Money(500, "RUB")), actor="test", at=now())
    settlement.apply(payment.pk, acquirer.pay(payment.pk), actor="acquirer:fake", at=now())
    return anna


def test_W2_the_person_s_page_shows_the_statement(manager, filled):
    text = manager.open(filled).text
    assert "Wallet: 500.00\u00a0₽" in text and "Balance after" in text and "Payment of invoice" in text


def test_W2_staff_give_a_wallet_back_with_a_reason(manager, filled):
    wallet = ledger.wallet(filled.pk, "RUB")
    assert manager.press(wallet, "close", reason="ticket 7").status_code == 302
    assert Refund.objects.get().requested_by == manager.user
    assert Event.objects.get(kind="wallet.closed").reason == "ticket 7"
    assert ledger.held(wallet) == Money(0, "RUB")


def test_W2_a_stale_figure_is_refused(manager, filled):
    wallet = ledger.wallet(filled.pk, "RUB")
    answer = manager.press(wallet, "close", {"expected_balance": "499.00"})
    assert "holds 500.00" in answer.text and not Refund.objects.exists()


def test_W2_support_looks_and_gives_nothing_back(support, filled):
    wallet = ledger.wallet(filled.pk, "RUB")
    assert support.client.post(f"/admin/billing/account/{wallet.pk}/close/", {"reason": "x"}).status_code == 403
    assert "Wallet: 500.00" in support.open(filled).text
