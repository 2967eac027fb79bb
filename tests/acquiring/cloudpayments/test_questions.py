"""The question that CloudPayments asks before it takes money: may this be paid?"""

from __future__ import annotations

import pytest

from acquiring.types import Decline, Status, Subject, Verdict
from tests.acquiring.cloudpayments.conftest import kind_of
from tests.acquiring.far import PRICE, Trips, charge


@pytest.mark.parametrize("code", [10, 11, 12, 13, 20, 99])
def test_a_shop_that_says_no_is_not_paid_and_the_page_stays(acquirer, far, shop, code):
    opened = acquirer.checkout(charge())
    shop.says = f'{{"code": {code}}}'.encode()
    far.pay(opened)
    found = acquirer.fetch(Subject.PAYMENT, opened.our_id)
    assert (found.status, found.decline, far.moved()) == (Status.PENDING, Decline.OUR_FAULT, [])
    shop.says = b'{"code": 0}'
    far.pay(opened)
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id).status is Status.SUCCEEDED


@pytest.mark.parametrize(("says", "answers"), [(b"<p>ok</p>", []), (b'{"code": 0}', [500])])
def test_a_shop_that_gives_no_good_answer_is_not_paid(acquirer, far, shop, says, answers):
    opened = acquirer.checkout(charge())
    shop.says, shop.answers = says, answers
    far.pay(opened)
    assert far.moved() == []


def test_the_shop_is_asked_before_a_saved_card_is_charged(acquirer, far, shop, bank):
    token = Trips().token(acquirer, far)
    shop.says = b'{"code": 13}'
    outcome = acquirer.charge(charge(token=token))
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "3008")
    assert len(far.moved()) == 1


def test_the_question_is_read_and_nothing_has_happened_yet(acquirer, far, shop):
    opened = acquirer.checkout(charge())
    far.pay(opened)
    asked = shop.wait_for(1)[0]
    assert kind_of(asked) == "check"
    notice = acquirer.parse("check", asked.headers, asked.body)
    assert (notice.asks, notice.outcome.our_id, notice.outcome.amount) == (True, opened.our_id, PRICE)
    assert (notice.outcome.status, notice.outcome.reference) == (Status.PENDING, "")


def test_a_question_at_the_address_of_paid_notices_only_rings(acquirer, far, shop):
    far.pay(acquirer.checkout(charge()))
    asked = shop.wait_for(1)[0]
    for kind in ("pay", "confirm"):
        assert not acquirer.parse(kind, asked.headers, asked.body).trusted


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.ACCEPTED, 0), (Verdict.UNKNOWN_ORDER, 10), (Verdict.WRONG_AMOUNT, 12), (Verdict.NOT_PAYABLE, 13),
        (Verdict.EXPIRED, 20), (Verdict.NOT_TAKEN, 13),
    ],
)  # fmt: skip
def test_each_verdict_has_its_code(acquirer, far, shop, verdict, code):
    far.pay(acquirer.checkout(charge()))
    asked = shop.wait_for(1)[0]
    answer = acquirer.reply(acquirer.parse("check", asked.headers, asked.body), verdict)
    assert (answer.status, answer.body) == (200, b'{"code": %d}' % code)
