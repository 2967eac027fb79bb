"""T-Bank's error codes, in classes: what each means for the money and for what to do next."""

from __future__ import annotations

from datetime import timedelta

from acquiring.types import Decline

OK = "0"
# A wrong password, no such terminal (204, 501); 202 and 205 are of the same class, and what is said here claims less.
SHUT_OUT = frozenset({"202", "204", "205", "501"})
NOT_FOUND = frozenset({"63", "255", "325", "335", "407", "914"})
NOTHING_CREATED = frozenset({"255", "335"})  # CheckOrder: no payment was ever made for this order
CONFLICT = frozenset({"4", "8", "20", "54", "119", "324", "330", "623", "2200", "3037"})  # another state than thought
TROUBLE = frozenset(  # theirs: it may be over in a moment, and says nothing of what was done
    {"99", "120", "123", "125", "402", "903", "999", "1030", "1034", "1089", "1091", "1096", "9001", "3040"}
)
WAIT = {"3029": timedelta(hours=1), "3042": timedelta(hours=1), "3030": timedelta(days=1), "3041": timedelta(days=1)}

_GROUPS = {
    Decline.RETRY_LATER: (
        "103 116 1051 5060",  # not enough money
        " ".join(TROUBLE),
        "1013 1019 1061 1065 1075 3041 3042 5061 5062",  # over a limit
        "1001 1005 1006 1008 1012 1017 1062 1088 1092 104",  # the card's bank would not, and may change its mind
        "3029 3030",  # so many refunds by SBP in an hour, in a day
        "119 2200",  # too many tries
    ),
    Decline.ANOTHER_CARD: (
        "107 252 262 1014 1015 1033 1039 1041 1053 1054 1080 1082 508 642",
        "1057 1058 1078 76 77 3012 3013 3014 3015 5065 5066",  # this kind of operation is forbidden to this card
    ),
    Decline.CUSTOMER_ACTION: ("101 106 108 511 2014",),
    Decline.STOP: ("1004 1007 1043 1059 1063 1093 1094 506 600",),
    Decline.OUR_FAULT: (
        "10 202 204 205 251 501 3001 3019 105 334 1125 1126",
        " ".join(str(code) for code in range(308, 323)),  # the receipt
        "4 8 20 54 324 330 623 3037",
        "63 255 325 335 407 914",
    ),
}
GROUP = {code: group for group, lists in _GROUPS.items() for codes in lists for code in codes.split()}


def group(code: str, default: Decline) -> Decline:
    """What to do next after this code."""
    return GROUP.get(code, default)
