"""Why cards are declined, in the bank's words and in ReasonCodes."""

from __future__ import annotations

# bank's code -> (ReasonCode, Reason, CardHolderMessage)
REASONS = {
    "do_not_honor": (5005, "DoNotHonor", "Свяжитесь с вашим банком или воспользуйтесь другой картой"),
    "insufficient_funds": (5051, "InsufficientFunds", "Недостаточно средств на карте"),
    "limit_exceeded": (5065, "ExceedWithdrawalFrequency", "Превышен лимит операций по карте"),
    "issuer_unavailable": (5091, "Timeout", "Повторите попытку позже или воспользуйтесь другой картой"),
    "processing_error": (5096, "SystemError", "Повторите попытку позже"),
    "expired_card": (5054, "ExpiredCard", "Истёк срок действия карты"),
    "unknown_token": (5014, "InvalidCardNumber", "Проверьте правильность введённых данных карты"),
    "authentication_required": (5206, "AuthenticationFailed", "3-D Secure авторизация не пройдена"),
    "3ds_failed": (5206, "AuthenticationFailed", "3-D Secure авторизация не пройдена"),
    "3ds_cancelled": (5206, "AuthenticationFailed", "3-D Secure авторизация не пройдена"),
    "stolen_card": (5043, "StolenCard", "Свяжитесь с вашим банком или воспользуйтесь другой картой"),
    "lost_card": (5041, "LostCard", "Свяжитесь с вашим банком или воспользуйтесь другой картой"),
    "merchant_misconfigured": (5761, "NoPhone", "Свяжитесь с магазином"),
    "shop_wrong_order": (3001, "InvalidInvoiceId", "Платёж не принят магазином"),
    "shop_wrong_account": (3002, "InvalidAccountId", "Платёж не принят магазином"),
    "shop_wrong_amount": (3003, "InvalidAmount", "Платёж не принят магазином"),
    "shop_out_of_date": (3004, "OutOfDate", "Заказ просрочен"),
    "shop_bad_answer": (3005, "FormatError", "Платёж не принят магазином"),
    "shop_silent": (3006, "Unavailable", "Платёж не принят магазином"),
    "shop_refused": (3008, "NotAccepted", "Платёж не принят магазином"),
}
RETRYABLE = frozenset({5051, 5065, 5091, 5096})  # a Fail of these says when to try again
ANSWERS = {
    0: "",
    10: "shop_wrong_order",
    11: "shop_wrong_account",
    12: "shop_wrong_amount",
    13: "shop_refused",
    20: "shop_out_of_date",
}
