"""The bank as CloudPayments: its API at /cloudpayments, its question before a payment, its notifications."""
