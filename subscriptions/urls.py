"""The shop's pages, mounted at the root."""

from django.urls import path

from subscriptions.pages import account, cancel, changes, payment, renewal, screen, shop, tariffs, wallet

urlpatterns = [
    path("", shop.plans, name="home"),
    path("plans/", shop.plans, name="plans"),
    path("checkout/<slug:code>/", shop.checkout, name="checkout"),
    path("payments/<uuid:payment_id>/", payment.payment, name="payment"),
    path("payments/<uuid:payment_id>/state/", payment.state, name="payment_state"),
    path("payments/<uuid:payment_id>/again/", payment.pay_again, name="pay_again"),
    path("account/", account.account, name="account"),
    path("account/cancel/", cancel.cancel, name="cancel"),
    path("account/change/", changes.choose, name="change"),
    path("account/change/now/", changes.upgrade, name="upgrade"),
    path("account/change/next/", changes.next_plan, name="next_plan"),
    path("account/change/pause/", changes.pause, name="pause"),
    path("account/change/resume/", changes.resume, name="resume"),
    path("plans/trial/", changes.trial, name="trial"),
    path("account/drop/", payment.drop, name="drop"),
    path("account/renewal/on/", renewal.switch_on, name="renewal_on"),
    path("account/renewal/off/", renewal.switch_off, name="renewal_off"),
    path("account/renewal/pay/", renewal.pay, name="pay_next"),
    path("account/remove-card/", account.remove_card, name="remove_card"),
    path("account/wallet/", wallet.wallet, name="wallet"),
    path("account/wallet/top-up/", wallet.top_up, name="wallet_top_up"),
    path("account/wallet/pay/", wallet.pay, name="wallet_pay"),
    path("account/wallet/close/", wallet.close, name="wallet_close"),
    path("account/tariff/start/", tariffs.start, name="tariff_start"),
    path("account/tariff/change/", tariffs.change, name="tariff_change"),
    path("receipts/<uuid:invoice_id>/", account.receipt, name="receipt"),
    path("films/", screen.films, name="films"),
    path("films/<slug:slug>/", screen.film, name="film"),
]
