"""Fixtures that every test room may use. Real parts are started once a session and stopped with it."""

from __future__ import annotations

import pytest

pytest_plugins = ["fixtures_postgres", "fixtures_prefect", "fixtures_server", "fixtures_browser"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running in this thread, in which no other can begin."""

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("browser") is None:
            return 0
        return 1 if item.get_closest_marker("asyncio") is not None else 2

    items.sort(key=place)
    for item in items:
        # Side by side, a file stays with one process, whose fixtures it shares; its browser tests apart, so that
        # they come last in each process.
        item.add_marker(pytest.mark.xdist_group(f"{item.path}:{place(item)}"))
