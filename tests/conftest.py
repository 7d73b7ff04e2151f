"""Fixtures that every test room may use. Real parts are started once a session and stopped with it."""

from __future__ import annotations

pytest_plugins = ["fixtures_postgres", "fixtures_prefect", "fixtures_server", "fixtures_browser"]
