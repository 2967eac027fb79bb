"""`script/bench`: each hot path against the bare thing, in one run on one database. See docs/benchmarks.md."""
