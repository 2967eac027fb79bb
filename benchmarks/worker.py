"""A worker: runs the tasks, as Celery would, until nothing is due; then says how much memory that took at most."""

from __future__ import annotations

import json

from benchmarks import boot


def main() -> None:
    boot.start()
    from benchmarks.measure import idle, peak_mib  # noqa: PLC0415  after Django
    from billing import tasks as billing  # noqa: PLC0415
    from billing.models import Callback, Delivery  # noqa: PLC0415
    from notifications import tasks as notifications  # noqa: PLC0415
    from notifications.models import Message  # noqa: PLC0415

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
