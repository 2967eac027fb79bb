"""One call to T-Bank at a time, and the questions that are asked before anything is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from acquiring import asking
from acquiring.backends.tbank import codes, mapping, signing
from acquiring.backends.tbank.mapping import Found
from acquiring.base import NO_CLUE
from acquiring.http import Client, NotSent, Unanswered
from acquiring.reading import Malformed
from acquiring.types import Clue, Outcome, Status

TRIES = 9  # pages of one order that nobody was given


class Wire:
    """Signs for one terminal. Raises NotSent and Unanswered as the client does, Malformed for what cannot be read."""

    def __init__(self, client: Client, terminal: str, password: str) -> None:
        self._client, self._terminal, self._password = client, terminal, password

    def call(self, method: str, body: dict[str, Any]) -> Any:
        """The answer, a refusal included."""
        body = body | {"TerminalKey": self._terminal}
        body["Token"] = signing.token(body, self._password)
        answer = self._client.request("POST", f"/{method}", json=body)
        if answer.ok:
            return answer.body
        # T-Bank refuses in answers of 200: this is somebody before it.
        if answer.status not in asking.SHUT_OUT:
            raise Unanswered(f"something answered {answer.status}, and it was not T-Bank's own word")
        return {"Success": False, "ErrorCode": f"http_{answer.status}", "Message": "T-Bank does not let us in"}

    def state(self, reference: str, clue: Clue = NO_CLUE) -> Found | None:
        """GetState; None where T-Bank knows no such payment. Raises mapping.Refused."""
        answer = self.call("GetState", {"PaymentId": reference})
        if isinstance(answer, dict) and answer.get("Status"):  # of a declined payment it says Success: false
            return mapping.found(answer, asked=clue.amount)
        if mapping.error_code(answer) in codes.NOT_FOUND:
            return None
        raise mapping.Refused(answer)

    def known(self, our_id: str, clue: Clue = NO_CLUE) -> Found | None:
        """What tells most of an order of ours; None where it was never made. Raises mapping.Refused."""
        return mapping.best(self.every(our_id, clue)[0])

    def every(self, our_id: str, clue: Clue = NO_CLUE) -> tuple[list[Found], int]:
        """The payments of an order of ours, and the number of the first try that T-Bank has not seen."""
        each: list[Found] = []
        for number in range(1, TRIES + 1):
            answer = self.call("CheckOrder", {"OrderId": mapping.order_id(our_id, number)})
            more = mapping.orders(answer, clue.amount)
            if more is None:
                return each, number
            each += more
        return each, TRIES + 1

    def cancelled(self, one: Found) -> Found:
        """Cancels what is not paid. Should it be paid in this very moment, T-Bank gives all of it back."""
        answer = self.call("Cancel", {"PaymentId": one.outcome.reference})
        if not mapping.accepted(answer):  # which says nothing of the payment itself
            return Found("", replace(mapping.refused(answer), status=Status.UNKNOWN, decline=None, shut_out=False))
        now = mapping.found(answer)
        if now.state not in mapping.RETURNING:
            return now
        doubt = mapping.unsure("it was paid as it was cancelled, and T-Bank is giving all of it back", now.outcome.raw)
        return Found(now.state, replace(doubt, reference=now.outcome.reference, our_id=now.outcome.our_id))

    def with_card(self, outcome: Outcome, clue: Clue) -> Outcome:
        """GetState tells no card: where one was to be kept and the customer has one, it is that."""
        if outcome.status is not Status.SUCCEEDED or not clue.customer_id:
            return outcome
        try:
            return mapping.with_card(outcome, self.call("GetCardList", {"CustomerKey": clue.customer_id}))
        except (NotSent, Unanswered, Malformed):  # the payment is what was asked about; a notification tells the card
            return outcome
