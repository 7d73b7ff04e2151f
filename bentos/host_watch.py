"""Has a shared host that started anew load its models, and finds the one that it dies of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..connectors.errors import Unavailable, WorkletsError
from .host_link import HostDiedTwice, HostLink, HostSlot

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 1.0


async def watch_host(
    link: HostLink, slots: Callable[[], list[HostSlot]], blame: Callable[[HostSlot], Awaitable[object]]
) -> None:
    """Have a host that started anew load its models before a request asks for them; runs until it is cancelled.

    Args:
        link: the way to the host.
        slots: the models that belong in it.
        blame: told of a model that the host died of twice as it loaded it, which else would go on for ever.
    """
    known: str | None = None
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        expected = slots()
        if not expected:
            continue
        try:
            health = await link.health()
        except Unavailable:
            continue
        if health["boot"] != known:
            known = health["boot"]
            # One after the other, so that a host that dies has one model to blame. Calls don't wait for their turn.
            for slot in expected:
                if slot.tag not in health["models"] and slot in slots():
                    await _load(link, slot, blame)


async def _load(link: HostLink, slot: HostSlot, blame: Callable[[HostSlot], Awaitable[object]]) -> None:
    try:
        await link.load(slot.tag)
    except HostDiedTwice:
        try:
            await blame(slot)
        except WorkletsError as error:
            logger.error("%s does not load in a process of its own either: %s", slot.tag, error)
    except Exception as error:
        logger.error("The host started anew and did not load %s: %s", slot.tag, error)
