"""What the audit asks of mails: each leaves in time, or waits for a human."""

from billing import audit
from billing.audit import Check

audit.reads("notifications_message")

LATE = """
    SELECT id AS message, status, attempts, next_attempt_at FROM notifications_message
     WHERE status IN ('due', 'sending') AND next_attempt_at < %(at)s - %(overdue)s"""

audit.register(
    Check("message.sent", "Each mail is sent in time.", LATE),
    Check(
        "message.parked",
        "A mail waits for a human.",
        "SELECT id AS message, error AS why FROM notifications_message WHERE status = 'parked'",
        told=True,
    ),
)
