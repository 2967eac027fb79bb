"""What a refund takes from whom. A top-up that is given back leaves the wallet when the refund is promised.

Until the acquirer has made the refund the sum lies in suspense; if it refuses for good, the wallet has it again. So
nobody spends what is on its way back to the card.
"""

from __future__ import annotations

from datetime import datetime

from moneyed import Money

from billing import ledger, money
from billing.errors import Conflict
from billing.models import Account, Payment, Refund, Transfer


def topped_up(payment: Payment) -> Account | None:
    """The wallet that a payment has filled; None for what was bought, and for surplus, which reached no wallet."""
    account = payment.invoice.account
    return account if account.kind == Account.Kind.WALLET and not payment.surplus else None


def returnable(payment: Payment) -> Money:
    """What can be promised back of a payment: what is left of it and, of a top-up, what the wallet still holds."""
    wallet = topped_up(payment)
    return min(payment.refundable, ledger.held(wallet)) if wallet else payment.refundable


def place(refund: Refund, *, at: datetime) -> None:
    """Takes a refund of a top-up out of the wallet. Raises Conflict `over_balance` where that is too little."""
    _take(refund, f"hold:{refund.pk}", at)


def release(refund: Refund, *, at: datetime) -> None:
    """Puts what was held for a refund that failed back into the wallet."""
    wallet = topped_up(refund.payment)
    if wallet is not None:
        ledger.post(
            f"release:{refund.pk}",
            debit=ledger.suspense(refund.currency),
            credit=wallet,
            amount=refund.money,
            description="The card's bank refused the return",
            at=at,
        )


def place_again(refund: Refund, *, at: datetime) -> None:
    """A refund that had failed was made after all: takes it out of the wallet once more."""
    if Transfer.objects.filter(reference=f"release:{refund.pk}").exists():
        _take(refund, f"hold:{refund.pk}:again", at)


def spent(refund: Refund) -> bool:
    """Whether a failed refund could not be taken from the wallet any more. Locks the wallet."""
    wallet = topped_up(refund.payment)
    return wallet is not None and refund.money > ledger.held(wallet, lock=True)


def bears(payment: Payment) -> Account:
    """The account that a refund is made from: what was held of a top-up, surplus, or what was earned."""
    if payment.surplus or topped_up(payment) is not None:
        return ledger.suspense(payment.currency)
    return ledger.refunds(payment.currency)


def _take(refund: Refund, reference: str, at: datetime) -> None:
    wallet = topped_up(refund.payment)
    if wallet is None:
        return
    held = ledger.held(wallet, lock=True)
    if refund.money > held:
        raise Conflict(
            f"The wallet holds {money.spoken(held)}, so no more than that can be given back.",
            "over_balance",
            balance=money.plain(held),
        )
    ledger.post(
        reference,
        debit=wallet,
        credit=ledger.suspense(refund.currency),
        amount=refund.money,
        description=f"Back to {refund.payment.card or 'the card'}",
        at=at,
    )
