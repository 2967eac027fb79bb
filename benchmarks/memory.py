"""What a worker's memory does while it passes over few rows and over many: a fresh process each, its peak compared."""

from __future__ import annotations

import json
import subprocess
import sys

from django.utils import timezone

from benchmarks import bank, fill
from billing.models import Callback

CHUNK = 1_000


def peak(rows: int) -> float:
    """Peak memory in MiB of a worker that acts on so many callbacks, delivers their events and sends their mails."""
    for begin in range(0, rows, CHUNK):
        Callback.objects.bulk_create(_received(lot) for lot in fill.waiting(min(CHUNK, rows - begin)))
    done = subprocess.run([sys.executable, "-m", "benchmarks.worker"], stdout=subprocess.PIPE, check=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["sent"] == rows, told
    return float(told["peak_mib"])


def _received(lot: fill.Lot) -> Callback:
    body, headers = bank.paid(lot.payment)
    now = timezone.now()
    return Callback(
        acquirer="sandbox",
        kind="payment.succeeded",
        dedupe_key=f"evt_{lot.payment}",
        headers={name.lower(): value for name, value in headers.items()} | {":kind": ""},
        body=body.decode(),
        next_attempt_at=now,
        received_at=now,
    )
