"""The console's routes. The face mounts them; everything that they need is passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

from ...connectors.blanking import Blanks
from ...connectors.layout import DataDirectory
from ...connectors.passwords import Passwords
from ...connectors.shares import Shares
from ...connectors.store import Store
from ...connectors.web import Guard
from ...flows.editing import Edits
from ...flows.journal import RunRecord
from ...flows.recent import RecentRuns
from ...flows.reviews import Reviews
from ...flows.run_nodes import RunNodes
from ...flows.versions import WorkletVersions
from ..branding import OUR_BRAND, Brand
from ..builder import BuilderFiles
from .assets import Assets
from .links import ConsoleLinks
from .login import login_routes
from .pages_access import access_pages
from .pages_builder import view_builder
from .pages_edit import edit_pages
from .pages_inbox import inbox_pages
from .pages_models import model_detail, model_list
from .pages_nodes import node_pages
from .pages_overview import overview, view_list
from .pages_runs import run_detail, run_in_prefect, run_list
from .pages_schedules import schedule_pages
from .pages_share import share_pages
from .pages_versions import version_pages
from .pages_worklets import worklet_detail, worklet_list
from .queries import ConsoleQueries
from .rendering import Renderer
from .site import Site, nothing_here


def _nothing(_name: str) -> None:
    return None


def _unlocked(_requirements: Sequence[str]) -> Sequence[str]:
    return ()


def routes(
    *,
    store: Store,
    guard: Guard,
    passwords: Passwords,
    shares: Shares,
    links: ConsoleLinks,
    data: DataDirectory,
    brand: Brand = OUR_BRAND,
    recent_run: Callable[[str], RunRecord | None] = _nothing,
    worklet_problem: Callable[[str], str | None] = _nothing,
    model_lock: Callable[[Sequence[str]], Sequence[str]] = _unlocked,
    reviews: Reviews | None = None,
    nodes_of: Callable[[str], list[list[Any]] | None] = _nothing,
    run_nodes: RunNodes | None = None,
    edits: Edits | None = None,
) -> list[BaseRoute]:
    """The routes of the console: /console..., /login, /login/{token}, /invitation/{token} and /logout.

    Args:
        store: read only; the pages' buttons use the JSON API.
        guard: knows who visits; its Access signs people in and out.
        passwords: sign people in, and let them set one.
        shares: the links of views.
        links: addresses outside the console.
        data: where the recorder's process leaves word of itself (`run/recorder.json`).
        brand: name, colour and logo.
        recent_run: a run by its id for the moment until the store has it (`RecentRuns.get`).
        worklet_problem: why a worklet can't be loaded, by its name (the registry's `broken`).
        model_lock: what a model's requirements were resolved to (`Environments.lock_of`).
        reviews: what runs ask people.
        nodes_of: the nodes that have ended of a run that is under way (`LaterRuns.nodes`).
        edits: begins and checks drafts of worklets; without it none can be edited.
        run_nodes: what is known of the nodes of runs; without it only what the store has.
    """
    assets, builder_files = Assets(brand), BuilderFiles()
    versions = WorkletVersions(store, data.projects)
    site = Site(
        guard,
        ConsoleQueries(store),
        Renderer(assets, brand),
        passwords,
        shares,
        store,
        links,
        data.run / "recorder.json",
        recent_run,
        worklet_problem,
        model_lock,
        nodes_of,
        run_nodes or RunNodes(store, versions, RecentRuns(), _nothing, Blanks()),
    )
    pages = {
        "/console": overview,
        "/console/models": model_list,
        "/console/models/{name}": model_detail,
        "/console/worklets": worklet_list,
        "/console/worklets/{name}": worklet_detail,
        "/console/runs": run_list,
        "/console/runs/{id}": run_detail,
        "/console/runs/{id}/prefect": run_in_prefect,
        "/console/views": view_list,
        "/console/views/{slug}/edit": view_builder(store, builder_files),
        **version_pages(versions),
        **node_pages(versions),
        **inbox_pages(reviews),
        **schedule_pages(),
        **access_pages(),
        **share_pages(),
    }
    return [
        assets.route(),
        builder_files.route(),
        *login_routes(site, passwords),
        *(edit_pages(site, edits) if edits is not None else ()),
        *(Route(path, site.page(make), methods=["GET"]) for path, make in pages.items()),
        Route("/console/{rest:path}", site.page(nothing_here), methods=["GET"]),
    ]
