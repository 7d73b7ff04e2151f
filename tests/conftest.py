"""Fixtures that every test room may use. Real parts are started once a session and stopped with it."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import pytest

# Each client of httpx reads all certificates anew: 25 ms of processor time for every request of a test.
ssl.create_default_context = functools.cache(ssl.create_default_context)

pytest_plugins = ["fixtures_postgres", "fixtures_prefect", "fixtures_server", "fixtures_browser"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with browser tests last: Playwright keeps an event loop running in this thread, where no other can begin.

    Whole files, since one goes to one process where several run the tests.
    """

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("browser") is None:
            return 0
        return 1 if item.get_closest_marker("asyncio") is not None else 2

    places: dict[Path, int] = {}
    for item in items:
        places[item.path] = max(places.get(item.path, 0), place(item))
    for item in items:
        if places[item.path] == 2 and item.get_closest_marker("asyncio") is not None:
            raise pytest.UsageError(f"{item.path} has tests with a loop and tests with a browser: split it.")
    items.sort(key=lambda item: places[item.path])
