"""Mounted at /api/v1/. An id that is none matches nothing here and gets its 404 from the last pattern of all."""

from accounts.slashes import both
from billing.api import callbacks, invoices, orders, payments, users, wallet
from billing.api.fields import UUID_PATH

ACQUIRER, KIND = r"(?P<acquirer>[A-Za-z0-9_-]{1,32})", r"(?P<kind>[A-Za-z0-9._-]{1,60})"

urlpatterns = [
    both("payments/refund", payments.Refunds.as_view(), "api-payment-refund"),
    both("payments/check", payments.Check.as_view(), "api-payment-check"),
    both("payments/confirm", payments.Confirm.as_view(), "api-payment-confirm"),
    both(f"payments/(?P<payment_id>{UUID_PATH})", payments.PaymentDetail.as_view(), "api-payment"),
    both("invoices", invoices.Invoices.as_view(), "api-invoices"),
    both(f"invoices/(?P<invoice_id>{UUID_PATH})", invoices.InvoiceDetail.as_view(), "api-invoice"),
    both(f"invoices/(?P<invoice_id>{UUID_PATH})/void", invoices.Void.as_view(), "api-invoice-void"),
    both("orders", orders.Orders.as_view(), "api-orders"),
    both("orders/refund", orders.OrderRefund.as_view(), "api-order-refund"),
    both("wallet", wallet.Wallet.as_view(), "api-wallet"),
    both("wallet/transactions", wallet.Transactions.as_view(), "api-wallet-transactions"),
    both("wallet/top-up", wallet.TopUp.as_view(), "api-wallet-top-up"),
    both("wallet/pay", wallet.Pay.as_view(), "api-wallet-pay"),
    both("wallet/close", wallet.Close.as_view(), "api-wallet-close"),
    both(f"users/(?P<user_id>{UUID_PATH})/roles", users.Roles.as_view(), "api-user-roles"),
    both(f"callbacks/{ACQUIRER}", callbacks.Callbacks.as_view(), "api-callbacks"),
    both(f"callbacks/{ACQUIRER}/{KIND}", callbacks.CallbacksOfKind.as_view(), "api-callbacks-of-kind"),
]
