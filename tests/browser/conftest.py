"""A real browser on real pages: our server, the local bank and a worker that never sleeps long."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.local_bank import LocalBank
from tests.things import SWEEPS, now

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PHONE = {"width": 420, "height": 900}
DESK = {"width": 1280, "height": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser these tests fail in CI, and elsewhere are skipped with the reason in pytest's summary."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM and os.environ.get("CI") != "true":
                item.add_marker(pytest.mark.skip(reason="no Chromium: apt-get install chromium"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    assert CHROMIUM, "CI has no Chromium"
    # Playwright's own loop would make Django refuse its synchronous ORM in this thread.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, live_server: Any, worker: None) -> Iterator[Page]:
    """A fresh phone-sized window at our shop. A script error on any page fails the test."""
    context = chromium.new_context(viewport=PHONE, base_url=live_server.url)
    context.set_default_timeout(10_000)
    expect.set_options(timeout=10_000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def worker(bank_that_calls: LocalBank, transactional_db: None) -> Iterator[None]:
    """What worker and beat do, in a thread."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.1):
            for sweep in SWEEPS:
                sweep(at=now())
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def picture(page: Page) -> Any:
    """Keeps a screenshot where PICTURES says: the README's pictures are made by these tests."""
    folder = os.environ.get("PICTURES")

    def take(name: str, *, wide: bool = False) -> None:
        if folder:
            page.set_viewport_size(DESK if wide else PHONE)
            page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
            page.set_viewport_size(PHONE)

    return take
