"""What the server pushes by itself: a project directory, again after every change in it, and the demo."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import select
from watchfiles import PythonFilter, awatch

from .bentos import zoo
from .connectors.errors import WorkletsError
from .connectors.tables import ModelVersion
from .demo.pictures import write_pictures
from .flows import bundle

if TYPE_CHECKING:
    from .parts import Parts

logger = logging.getLogger(__name__)

DEMO = Path(__file__).parent / "demo" / "project"
DEMO_MODEL = "style-transfer"
_OWNER = "server"


async def keep_pushed(parts: Parts, folder: Path) -> None:
    """Push a directory now and after every change in it, until cancelled. A faulty state is logged and passed over."""
    await push_once(parts, folder)
    changes = awatch(folder, watch_filter=PythonFilter(extra_extensions=(".json", ".sql")), step=100, recursive=True)
    async for _ in changes:
        await push_once(parts, folder)


async def push_once(parts: Parts, folder: Path, name: str | None = None) -> None:
    """Push a directory as the project `name`; what is wrong with it goes to the log."""

    def push() -> None:
        pushed = parts.registry.push(bundle.pack(folder), name or bundle.project_name(folder), _OWNER)
        for each in pushed:
            if each.created:
                logger.info("pushed %s version %d from %s", each.worklet, each.version, folder)

    try:
        await asyncio.to_thread(push)
    except WorkletsError as error:
        logger.error("%s was not pushed, what was live stays: %s", folder, error)
    except OSError as error:
        logger.error("%s can't be read: %s", folder, error)


async def serve_demo(parts: Parts) -> None:
    """Deploy the demo's model unless it is there, then its worklet and its view."""
    try:
        if not await asyncio.to_thread(_has_model, parts):
            await parts.deployer.deploy_entry(zoo.entry(DEMO_MODEL), created_by=_OWNER)
        await asyncio.to_thread(write_pictures, parts.data.root / "demo")
        await push_once(parts, DEMO, "demo")
    except WorkletsError as error:
        logger.error("the demo could not be set up: %s", error)
    except Exception:
        logger.exception("the demo could not be set up")


def _has_model(parts: Parts) -> bool:
    with parts.store.read() as session:
        query = select(ModelVersion).where(ModelVersion.model_name == DEMO_MODEL, ModelVersion.status == "live")
        return session.exec(query).first() is not None
