"""Runs Boxoffice on one machine, for people and for tests: `script/server` and `script/test`.

Only the standard library: this code runs before there is a virtual environment.
"""
