"""What every line of log and every event of one request share."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
