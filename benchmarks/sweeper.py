"""A process that fills its database with rows that are not due, then sweeps what is asked: `SWEEP ROWS`, line by line.

It says how many seconds each took; 0 when it is ready.
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks import boot


def main() -> None:
    boot.start()
    from django.db import connection

    from benchmarks import crowd
    from benchmarks.sweeps import SIDES

    crowd.stands_by(int(sys.argv[1]))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(json.dumps(0), flush=True)
    for line in sys.stdin:
        sweep, rows = line.split()
        product = SIDES[sweep]()[0]
        due = product.prepare(int(rows))
        began = time.perf_counter()
        done = product.run(due)
        seconds = time.perf_counter() - began
        product.check(due)
        assert done == len(due), f"{done} of {len(due)} rows were due"
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
