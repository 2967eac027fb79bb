"""CloudPayments: `CloudPayments` is the acquirer, its parts are pure mapping."""

from acquiring.backends.cloudpayments.protocol import CloudPayments

__all__ = ["CloudPayments"]
