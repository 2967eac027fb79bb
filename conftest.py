"""No test is skipped silently: where Chromium is missing, CI fails and elsewhere the summary says what to install.

A test that needs it is marked `browser`; the path of the program is in the environment as CHROMIUM (script/test).
"""

import os
import shutil

import pytest

MISSING = "no Chromium: apt-get install chromium, or CHROMIUM=/path/to/it"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") is None or os.environ.get("CHROMIUM") or shutil.which("chromium"):
        return
    if os.environ.get("CI"):
        pytest.fail(MISSING, pytrace=False)
    pytest.skip(MISSING)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} browser tests skipped: {MISSING}", yellow=True)
