"""M10 over HTTP: consent, the next charge, and its end."""

from __future__ import annotations

import pytest

from billing.models import Payment
from subscriptions.models import Period, Subscription
from tests.api.client import Api
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.promo import personal
from tests.things import DAY, now, run_until_idle

pytestmark = pytest.mark.django_db


def test_M10_a_client_agrees_sees_the_charge_and_ends_it(anna: Api, acquirer: FakeAcquirer) -> None:
    born = anna.subscribe(auto_renew=True)
    acquirer.pay(born["payment"])
    anna.post("payments/check", {"payment": born["payment"]})
    run_until_idle(now())
    seen = anna.get(f"subscriptions/{born['id']}").data
    assert seen["auto_renew"] is True
    assert (seen["next_charge"]["amount"], seen["next_charge"]["at"]) == (seen["price"]["amount"], seen["valid_till"])
    assert seen["next_charge"]["card"].startswith("Visa •••• 4242")
    off = anna.post("subscriptions/renewal", {"subscription": born["id"], "auto_renew": False})
    assert (off.status_code, off.data["auto_renew"], off.data["next_charge"]) == (200, False, None)
    on = anna.post("subscriptions/renewal", {"subscription": born["id"], "auto_renew": True})
    assert on.data["next_charge"] == seen["next_charge"]


def test_M10_without_a_saved_card_there_is_nothing_to_agree_to(anna: Api, paid: dict[str, str]) -> None:
    refused = anna.post("subscriptions/renewal", {"subscription": paid["id"], "auto_renew": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_card")


def test_M10_a_subscription_that_waits_does_not_renew_yet(anna: Api, acquirer: FakeAcquirer) -> None:
    born = anna.subscribe()
    refused = anna.post("subscriptions/renewal", {"subscription": born["id"], "auto_renew": False})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_running")


def test_G12_somebody_elses_renewal_does_not_exist(anna: Api, boris: Api, paid: dict[str, str]) -> None:
    assert boris.post("subscriptions/renewal", {"subscription": paid["id"], "auto_renew": False}).status_code == 404


def test_M12_a_next_term_over_nothing_begins_and_the_answer_is_its_invoice(anna: Api, paid: dict[str, str]) -> None:
    assert anna.user is not None
    personal(anna.user, 100)
    end = now() + DAY
    Period.objects.update(ends_at=end)
    Subscription.objects.update(valid_till=end, access_until=end + 2 * DAY)
    answer = anna.post("payments/payment", {"subscription": paid["id"]})
    again = anna.post("payments/payment", {"subscription": paid["id"]})
    assert (answer.status_code, answer.data["status"], answer.data["total"]) == (200, "paid", "0.00")
    assert again.data == answer.data and answer.data["subscription"] == paid["id"]
    run_until_idle(now())
    assert Period.objects.get(number=2).starts_at == end and Payment.objects.count() == 1
