"""How a simulation ends before its time, and the errors that it raises on purpose."""

from django.db import OperationalError


class Unfit(Exception):
    """There is no simulating here: bad arguments, no database, one that is not ours. The text says what to do."""


class Died(BaseException):
    """The process is killed at this point. No `except Exception` of the product may survive it."""


class Stopped(BaseException):
    """Something broke: the run ends here, at its first breach."""


class Mishap(Exception):
    """A failure that the run made on purpose where our own code runs: a bad release, a database that is away."""


class Away(Mishap, OperationalError):
    """PostgreSQL does not answer."""
