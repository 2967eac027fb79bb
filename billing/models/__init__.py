from billing.models.acquirer_health import AcquirerHealth
from billing.models.callback import Callback
from billing.models.event import Delivery, Event, RequestKey
from billing.models.halt import Halt
from billing.models.invoice import Invoice, InvoiceLine
from billing.models.ledger import Account, Transfer
from billing.models.payment import Payment
from billing.models.payment_method import PaymentMethod
from billing.models.product import Product
from billing.models.receipt import Receipt
from billing.models.reconciliation import Case
from billing.models.refund import Refund

__all__ = [
    "Account",
    "AcquirerHealth",
    "Callback",
    "Case",
    "Delivery",
    "Event",
    "Halt",
    "Invoice",
    "InvoiceLine",
    "Payment",
    "PaymentMethod",
    "Product",
    "Receipt",
    "Refund",
    "RequestKey",
    "Transfer",
]
