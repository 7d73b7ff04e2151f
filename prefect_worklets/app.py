"""The HTTP app: every room's routes behind one address, as a factory for uvicorn (`--factory`)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from .bentos import api as models_api
from .bentos import rollout_api
from .bentos.insight_api import insight_routes
from .bentos.model_log import listen_to_models
from .bentos.openapi import paths as model_paths
from .connectors.access_api import access_routes
from .connectors.errors import BadInput, NotFound, WorkletsError
from .connectors.secrets_api import secrets_routes
from .connectors.web import problem_response
from .flows import api as worklets_api
from .flows.edits_api import EditsApi
from .flows.invoke import InvokeApp
from .flows.later_api import LaterApi
from .flows.prefect_runs_api import PrefectRunsApi
from .flows.reviews_api import ReviewsApi
from .health import health_routes
from .metrics import metrics_routes
from .panel_views import api as views_api
from .panel_views import console
from .panel_views.dependants import dependants_of_model
from .panel_views.share_pages import share_routes
from .panel_views.shares_api import shares_routes
from .parts import Parts
from .prefect_links import FlowRunFinder
from .projects import keep_pushed, serve_demo
from .settings import Settings
from .views_pool import ViewsPool

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The ASGI app of one instance.

    Args:
        settings: by default those of the environment.
    """
    if settings is None:  # as a process of its own, whose output is ours to listen to; before logging takes the stream
        listen_to_models()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx", "httpcore", "alembic", "bentoml", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    parts = Parts(settings or Settings())
    views_at = parts.settings.views_url
    proxy = ViewsPool(views_at.split(",")) if views_at else None
    routes = _routes(parts)
    if proxy is not None:
        routes += share_routes(parts.store, parts.access, parts.shares, proxy, parts.settings.brand)
        routes.append(Mount("/views", app=proxy))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with parts.running():
            background = _project_tasks(parts)
            try:
                yield
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)
                if proxy is not None:
                    await proxy.aclose()

    rest = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={WorkletsError: _answer_problem, HTTPException: _answer_http_error, Exception: _answer_bug},
    )
    return InvokeApp(
        rest,
        registry=parts.registry,
        engine=parts.engine,
        guard=parts.guard,
        journal=parts.journal,
        recent=parts.recent,
        body_limit=parts.settings.max_body,
        meters=parts.run_meters,
    )


def _routes(parts: Parts) -> list[BaseRoute]:
    settings = parts.settings
    links = console.ConsoleLinks(
        prefect_ui=settings.prefect_ui_url,
        flow_run=FlowRunFinder(settings.prefect_api_url),
        public_url=settings.public_origin,
    )
    return [
        Route("/", lambda request: RedirectResponse("/console")),
        *health_routes(parts),
        *metrics_routes(parts),
        *models_api.routes(
            parts.router,
            parts.deployer,
            parts.guard,
            parts.data,
            images=parts.images,
            predict_limit=settings.max_body,
            dependants=functools.partial(dependants_of_model, parts.store),
        ),
        *rollout_api.routes(parts.rollouts, parts.guard),
        *insight_routes(
            parts.deployer.records, parts.guard, parts.data, parts.pulse, parts.store, parts.drift, parts.blanks.text
        ),
        *worklets_api.routes(
            parts.registry,
            parts.guard,
            parts.store,
            parts.files,
            recent=parts.recent,
            submitted=parts.queue,
            nodes_of=parts.later.nodes,
            more_paths=(lambda: model_paths(parts.router),),
            changes=parts.changes,
            callback_of=parts.callbacks.of,
            run_nodes=parts.run_nodes,
        ),
        *EditsApi(parts.guard, parts.edits, parts.node_trial).routes(),
        *PrefectRunsApi(parts.registry, parts.guard, parts.queue, parts.later, parts.checkpoints).routes(),
        *LaterApi(
            parts.registry,
            parts.guard,
            parts.store,
            parts.queue,
            parts.later,
            parts.schedules,
            parts.checkpoints,
            parts.recent,
            body_limit=settings.max_body,
            check_url=parts.egress.check,
            callback_key=parts.callbacks.shown_key,
        ).routes(),
        *ReviewsApi(parts.reviews, parts.registry, parts.guard, parts.files, parts.later.wake).routes(),
        *views_api.routes(parts.store, parts.guard, parts.frames, parts.outgoing, parts.secrets),
        *shares_routes(parts.store, parts.guard, parts.shares, settings.public_origin),
        *secrets_routes(parts.guard, parts.secrets),
        *access_routes(parts.guard, parts.passwords, settings.public_origin),
        *console.routes(
            store=parts.store,
            guard=parts.guard,
            passwords=parts.passwords,
            shares=parts.shares,
            links=links,
            data=parts.data,
            brand=settings.brand,
            recent_run=parts.recent.get,
            worklet_problem=lambda name: parts.registry.broken.get(name),
            model_lock=parts.deployer.environments.lock_of,
            reviews=parts.reviews,
            nodes_of=parts.later.nodes,
            run_nodes=parts.run_nodes,
            edits=parts.edits,
        ),
    ]


def _project_tasks(parts: Parts) -> list[asyncio.Task[None]]:
    """What pushes by itself: the demo, and the project directory that `up` was given."""
    tasks = []
    if parts.settings.demo:
        tasks.append(asyncio.create_task(serve_demo(parts), name="demo"))
    if parts.settings.project is not None:
        tasks.append(asyncio.create_task(keep_pushed(parts, parts.settings.project), name="project"))
    return tasks


async def _answer_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, WorkletsError)
    return problem_response(error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no route, wrong method) in the one shape of errors."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem_response(NotFound(f"There is nothing at {request.url.path[:200]}."))
    refusal = BadInput(str(error.detail))
    refusal.status, refusal.title = error.status_code, str(error.detail)
    return problem_response(refusal, dict(error.headers or {}))


async def _answer_bug(request: Request, error: Exception) -> Response:
    """The traceback goes to the log, never to the caller."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(WorkletsError("The server failed on this request; its log says why."))
