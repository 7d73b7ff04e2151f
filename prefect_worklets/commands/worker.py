"""The command `worklets worker`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from .options import DataOption, settings_of


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(
    name: Annotated[str | None, typer.Option(help="Its name in Prefect; by default a new one.")] = None,
    pool: Annotated[str, typer.Option(help="The work pool whose flow runs it takes.")] = "worklets",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Flow runs under way at once; by default any number.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Start one more Prefect worker of the type `worklets`; `worklets up` has one already."""
    from ..worker_process import prefect_api_url, run_worker

    settings = settings_of(data)
    os.environ["PREFECT_API_URL"] = prefect_api_url(settings.data)
    os.environ["WORKLETS_DATA_DIR"] = str(settings.data.root)
    run_worker(pool=pool, name=name, limit=limit)
