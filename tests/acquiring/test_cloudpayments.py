"""CloudPayments against the local bank, which speaks its protocol: the shared contract, and what is its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from acquiring.backends.cloudpayments import CloudPayments, orders
from acquiring.bank.cloudpayments.tongue import sign
from acquiring.types import Outcome
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.shop import Delivery, Shop
from tests.acquiring.test_http import answering, server
from tests.local_bank import LocalBank, eventually

DECLINING = {
    "retry_later": "4000000000009995",
    "another_card": "4000000000000002",
    "customer_action": "4000008400001629",
    "stop": "4000000000009979",
    "our_fault": "4000000000000101",
}


@pytest.fixture(scope="module")
def cabinet() -> Iterator[Shop]:
    """Our shop, whose address stands in the acquirer's cabinet."""
    shop = Shop(b'{"code": 0}')
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def calling_bank(tmp_path_factory: pytest.TempPathFactory, cabinet: Shop) -> Iterator[LocalBank]:
    with LocalBank(tmp_path_factory.mktemp("bank"), cabinet.url) as bank:
        yield bank


@pytest.fixture
def bank(calling_bank: LocalBank) -> Iterator[LocalBank]:
    calling_bank.reset()
    yield calling_bank
    calling_bank.clear_faults()


@pytest.fixture
def shop(bank: LocalBank, cabinet: Shop) -> Shop:
    cabinet.says, cabinet.answers = b'{"code": 0}', []
    cabinet.deliveries = []  # a late one of an earlier test goes to the old list
    return cabinet


def cloudpayments(bank: LocalBank, timeout: float = 10.0, **options: object) -> CloudPayments:
    secrets = [bank.callback_secret]
    url = f"{bank.api_url}/cloudpayments"
    return CloudPayments(bank.merchant, bank.secret, secrets, url=url, timeout=timeout, **options)


@pytest.fixture
def acquirer(bank: LocalBank, shop: Shop) -> CloudPayments:
    return cloudpayments(bank)


@pytest.fixture
def impatient(bank: LocalBank, shop: Shop) -> CloudPayments:
    return cloudpayments(bank, timeout=0.3)


class Far:
    """The local bank as the contract moves it."""

    def __init__(self, bank: LocalBank, shop: Shop) -> None:
        self.bank, self.shop = bank, shop
        self.secrets = (bank.secret, bank.callback_secret)

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        self.bank.pay(outcome.redirect_url, DECLINING[decline] if decline else "4242424242424242")

    def trouble(self, name: str, count: int = 1) -> None:
        if name == "calm":
            self.bank.clear_faults()
        else:
            self.bank.fault(name, count)

    def forget(self) -> None:
        self.bank.forget_keys()

    def moved(self) -> list[tuple[str, str, int]]:
        done = [line for line in self.bank.operations() if line["state"] == "succeeded"]
        return [(line["kind"], line["order_id"], line["amount"]) for line in done]

    def signed(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return headers | {"content-hmac": sign(self.bank.callback_secret, body)}

    def told(self) -> list[Delivery]:
        """The deliveries that are no questions."""
        return [each for each in self.shop.deliveries if kind_of(each) != "check"]

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        eventually(lambda: len(self.told()) > number)
        delivery = self.told()[number]
        return kind_of(delivery), delivery.headers, delivery.body


def kind_of(delivery: Delivery) -> str:
    return urlsplit(delivery.path).path.rpartition("/")[2]


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> Far:
    return Far(bank, shop)


class TestCloudPayments(AcquirerContract):
    """Every promise of the contract."""

    reference_at_checkout = False
    declined_page_is_final = False
    stops_unseen_orders = False
    tells_refunded = False
    shows_closed_pages = False


# --- The question before a payment -----------------------------------------------------------------------------------


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
    token = TestCloudPayments().token(acquirer, far)
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


# --- Declines, the widget, receipts ----------------------------------------------------------------------------------


def test_a_declined_token_is_final_and_says_when_to_try_again(acquirer, far, shop):
    far.pay(opened := acquirer.checkout(charge(save_card=True)))
    token = acquirer.fetch(Subject.PAYMENT, opened.our_id).card.token
    far.trouble("decline:insufficient_funds")
    outcome = acquirer.charge(order := charge(token=token))
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.RETRY_LATER, "5051")
    assert acquirer.fetch(Subject.PAYMENT, order.our_id).status is Status.FAILED
    notice = acquirer.parse(*far.callback(1))
    assert (notice.kind, notice.outcome.status, notice.outcome.code) == ("fail", Status.FAILED, "5051")
    assert notice.outcome.retry_after - notice.outcome.occurred_at == timedelta(days=1)


def test_a_failed_try_on_the_page_is_told_and_ends_nothing(acquirer, far):
    opened = acquirer.checkout(charge())
    far.pay(opened, "retry_later")
    notice = acquirer.parse(*far.callback(0))
    assert (notice.kind, notice.outcome.status) == ("fail", Status.PENDING)
    assert (notice.outcome.decline, notice.outcome.reference) == (Decline.RETRY_LATER, "")


def test_a_wrong_code_of_3d_secure_leaves_the_page_open(acquirer, far, bank):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url, "4000000000003220", code="0000")
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id).code == "5206"
    bank.pay(opened.redirect_url, "4000000000003220")
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id).status is Status.SUCCEEDED


def test_the_widget_gets_what_the_server_knows_and_nobody_is_called():
    order = charge(save_card=True, capture=False)
    outcome = CloudPayments("pk", "s", url="http://nobody.invalid", page="widget").checkout(order)
    assert (outcome.status, outcome.our_id, outcome.amount) == (Status.PENDING, order.our_id, PRICE)
    told = outcome.widget
    assert (told["publicTerminalId"], told["amount"], told["currency"]) == ("pk", "299.00", "RUB")
    assert (told["externalId"], told["paymentSchema"], told["tokenize"]) == (order.our_id, "Dual", True)
    assert told["userInfo"]["accountId"] == order.customer_id


def test_a_widget_whose_amount_was_changed_in_the_browser_tells_that_amount(bank, shop, far):
    acquirer = cloudpayments(bank, page="widget")
    values = dict(acquirer.checkout(order := charge()).widget) | {"amount": "1.00"}
    page = bank.http.get(f"{bank.url}/cloudpayments/widget", params={"params": json.dumps(values)}, timeout=5)
    bank.pay(page.url)
    asked = shop.wait_for(1)[0]
    assert acquirer.parse("check", asked.headers, asked.body).outcome.amount == Money("1.00", "RUB")
    told = acquirer.parse(*far.callback(0)).outcome
    assert (told.our_id, told.amount) == (order.our_id, Money("1.00", "RUB"))


def test_a_fiscal_receipt_is_ordered_and_told(acquirer, far):
    item = ReceiptItem("Films, one month", Decimal(1), PRICE, vat="20")
    receipt = Receipt((item,), email="ann@example.org", tax_system="osn")
    far.pay(opened := acquirer.checkout(charge(receipt=receipt)))
    notices = [acquirer.parse(*far.callback(number)) for number in (0, 1)]
    [told] = [each for each in notices if each.kind == "receipt"]
    assert (told.only_receipt, told.outcome.receipt) == (True, ReceiptStatus.REGISTERED)
    assert told.outcome.our_id == opened.our_id
    paid = acquirer.fetch(Subject.PAYMENT, opened.our_id)
    assert "ann@example.org" not in str(paid.raw)


def test_a_chargeback_stands_in_the_statement_of_its_day(acquirer, far, bank):
    far.pay(opened := acquirer.checkout(charge()))
    reference = acquirer.fetch(Subject.PAYMENT, opened.our_id).reference
    payment_id = opened.redirect_url.rpartition("/")[2]
    bank.charge_back(payment_id, 10_000)
    bank.charge_back(payment_id, 5_000)
    lines = list(acquirer.statement(datetime.now(UTC).date()))
    assert [line.outcome.charged_back for line in lines if line.outcome.reference == reference][-1] == Money(150, "RUB")


def test_a_statement_has_many_pages_and_no_declined_tries(acquirer, far, bank, shop):
    far.pay(opened := acquirer.checkout(charge(save_card=True)))
    token = acquirer.fetch(Subject.PAYMENT, opened.our_id).card.token
    for _ in range(104):
        acquirer.charge(charge(token=token, amount=Money("1.00", "RUB")))
    far.pay(acquirer.checkout(charge()), "stop")
    lines = list(acquirer.statement(datetime.now(UTC).date()))
    assert len({line.outcome.reference for line in lines}) == len(lines) == 105


# --- The door --------------------------------------------------------------------------------------------------------


def test_wrong_keys_are_our_fault(bank):
    stranger = CloudPayments(bank.merchant, "wrong", url=f"{bank.api_url}/cloudpayments")
    outcome = stranger.checkout(charge())
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "unauthorized")
    found = stranger.fetch(Subject.PAYMENT, "any")
    assert (found.status, found.absent) == (Status.UNKNOWN, False)


def test_too_many_at_once_are_not_sent():
    with server(answering("429 Too Many Requests", b"")) as (url, _):
        assert CloudPayments("pk", "s", url=url).charge(charge(token="tk")).decline is Decline.NOT_SENT


@pytest.mark.parametrize("option", ["public_id", "api_secret", "url"])
def test_a_missing_credential_is_named(option):
    with pytest.raises(ValueError, match=option):
        CloudPayments(**({"public_id": "pk", "api_secret": "s", "url": "http://x"} | {option: ""}))


@pytest.mark.parametrize("options", [{"callback_secrets": "a"}, {"callback_secrets": [""]}, {"page": "other"}])
def test_a_wrong_option_is_refused(options):
    with pytest.raises(ValueError, match="needs"):
        CloudPayments("pk", "s", **options)


def test_a_saved_card_is_charged_as_their_rules_want():
    order = charge(token="tk_1")
    assert orders.token(order, "CustomerReceipt")["TrInitiatorCode"] == 0
    assert orders.token(order, "CustomerReceipt")["PaymentScheduled"] == 1
    assert orders.token(replace(order, scheduled=False), "CustomerReceipt")["PaymentScheduled"] == 0


def test_one_key_pays_once_and_gives_the_first_answer(acquirer, far, bank, shop):
    client = Client(f"{bank.api_url}/cloudpayments", (bank.merchant, bank.secret), idempotency_header="X-Request-ID")
    far.pay(opened := acquirer.checkout(charge()))
    reference = int(acquirer.fetch(Subject.PAYMENT, opened.our_id).reference)
    answers = [
        client.request(
            "POST", "/payments/refund", json={"TransactionId": reference, "Amount": amount}, idempotency_key="k"
        )
        for amount in (1, 2)
    ]
    assert answers[0].body == answers[1].body
    assert [units for kind, _, units in far.moved() if kind == "refund"] == [100]


def test_a_refund_that_is_pending_is_asked_about_until_it_is_done(acquirer, far):
    far.pay(opened := acquirer.checkout(charge()))
    paid = acquirer.fetch(Subject.PAYMENT, opened.our_id)
    far.trouble("refund_pending:0.2")
    order = refund(paid)
    waiting = acquirer.refund(order)
    assert (waiting.status, waiting.our_id) == (Status.PENDING, order.our_id)
    eventually(lambda: acquirer.fetch(Subject.REFUND, "", waiting.reference).status is Status.SUCCEEDED)


def test_a_refund_that_the_bank_declines_has_failed(acquirer, far):
    far.pay(opened := acquirer.checkout(charge()))
    paid = acquirer.fetch(Subject.PAYMENT, opened.our_id)
    far.trouble("refund_declined")
    assert acquirer.refund(refund(paid)).status is Status.FAILED
