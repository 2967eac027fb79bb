"""CloudPayments' ReasonCodes, in terms of what to do next."""

from __future__ import annotations

from acquiring.types import Decline

# What they call "unconditionally negative" (5001 5003 5005 5012 5017 5033 5034 5057) must never be charged again by
# itself: such codes are in a group whose card is not charged with nobody present.
_GROUPS: dict[Decline, str] = {
    Decline.RETRY_LATER: "5051 5061 5065 5091 5092 5096 5204 5300 5303",
    Decline.ANOTHER_CARD: (
        "5001 5003 5005 5006 5012 5013 5014 5015 5019 5030 5031 5036 5054 5057 5058 5059 5062 5063 5075 5113 6001 "
        "6010 6011"
    ),
    Decline.CUSTOMER_ACTION: "5017 5055 5082 5206 5207 5209",
    Decline.STOP: "5004 5007 5033 5034 5041 5043",
    # 3001 to 3008: our own answer to their question "may this be paid?" said no, or did not come.
    Decline.OUR_FAULT: ("3001 3002 3003 3004 3005 3006 3007 3008 5761 5762 5763 6004 6005 6013 6014 6015 6017 6025"),
}
GROUPS = {int(code): group for group, codes in _GROUPS.items() for code in codes.split()}


def group(code: int) -> Decline:
    """What to do about a decline. A code that nobody knows is not tried again by itself."""
    return GROUPS.get(code, Decline.ANOTHER_CARD)
