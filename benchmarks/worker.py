"""A worker: runs the tasks, as Celery would, until nothing is due; then says how much memory that took at most."""

from __future__ import annotations

import json

from benchmarks import boot


def main() -> None:
    boot.start()
    from benchmarks.measure import idle, peak_mib
    from billing import tasks as billing
    from billing.models import Callback, Delivery
    from notifications import tasks as notifications
    from notifications.models import Message

    before = Message.objects.filter(status="sent").count()
    due = (
        (billing.process_callbacks, Callback.objects.filter(status="received")),
        (billing.deliver_events, Delivery.objects.filter(status="due")),
        (notifications.send_messages, Message.objects.filter(status="due")),
    )
    for task, rows in due:
        while left := rows.count():
            task()
            idle()
            if rows.count() == left:
                raise SystemExit(f"{left} rows stay due whatever {task} does")
    sent = Message.objects.filter(status="sent").count() - before
    print(json.dumps({"peak_mib": peak_mib(), "sent": sent}))


if __name__ == "__main__":
    main()
