"""Callbacks: an address that is told how a submitted run ended, with retries that outlive restarts.

The request is signed as the Standard Webhooks specification says (https://www.standardwebhooks.com): `webhook-id`,
`webhook-timestamp` and `webhook-signature`, an HMAC-SHA256 of the three parts of the message.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from base64 import b64encode
from typing import Any

import orjson
from sqlmodel import col, select, update

from ..connectors.errors import BadInput, RequestFailed, WorkletsError
from ..connectors.outgoing import Outgoing
from ..connectors.store import Store
from ..connectors.tables import Callback, Run, SubmittedRun
from .submitted import ENDED_STATES

logger = logging.getLogger(__name__)

WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given-up"
# Seconds to wait after each attempt that failed; after the last it is given up. A day and a half together.
PAUSES = (5.0, 30.0, 120.0, 600.0, 3_600.0, 10_800.0, 36_000.0, 72_000.0)
_LOOK_SECONDS = 1.0
_AT_ONCE = 8
# Whoever holds a callback sends it within this time, or another process does.
_HELD_US = 60_000_000
_ANSWER_SECONDS = 15.0
_MAX_ANSWER = 1_000_000
# The record of a run comes into the store some moments after its end.
_ON_ITS_WAY_US = 30_000_000


class Callbacks:
    """Sends what is due.

    Args:
        store: has the callbacks and the runs.
        outgoing: sends, after checking the address.
        key: signs.
    """

    def __init__(self, store: Store, outgoing: Outgoing, key: bytes) -> None:
        self._store = store
        self._outgoing = outgoing
        self._key = key

    @property
    def shown_key(self) -> str:
        """The key as receivers write it: `whsec_` and base64."""
        return "whsec_" + b64encode(self._key).decode()

    def of(self, run_id: str) -> dict[str, Any] | None:
        """How far the callback of a run is. Blocking."""
        with self._store.read() as session:
            row = session.get(Callback, run_id)
        if row is None:
            return None
        left = ("url", "state", "attempts", "error", "ended_us")
        shown = {name: getattr(row, name) for name in left}
        return {**shown, "next_us": row.next_us if row.state == WAITING and row.attempts else None}

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                sent = await self.step()
            except Exception:
                logger.exception("sending callbacks failed; it goes on")
                sent = 0
            if sent < _AT_ONCE:
                await asyncio.sleep(_LOOK_SECONDS)

    async def step(self, now_us: int | None = None) -> int:
        """Send what is due, a few at once; answers how many that were."""
        due = await asyncio.to_thread(self._take, now_us if now_us is not None else time.time_ns() // 1000)
        await asyncio.gather(*(self._send(row, body) for row, body in due))
        return len(due)

    def _take(self, now_us: int) -> list[tuple[Callback, bytes]]:
        wanted = (
            select(Callback, SubmittedRun)
            .join(SubmittedRun, col(SubmittedRun.id) == col(Callback.run_id))
            .where(
                col(Callback.state) == WAITING,
                col(Callback.next_us) <= now_us,
                col(SubmittedRun.state).in_(ENDED_STATES),
            )
            .order_by(col(Callback.next_us))
            .limit(_AT_ONCE)
        )
        taken: list[tuple[Callback, bytes]] = []
        with self._store.session() as session:
            for row, submitted in session.exec(wanted).all():
                run = session.get(Run, row.run_id)
                if run is None and now_us - (submitted.ended_us or 0) < _ON_ITS_WAY_US:
                    continue
                held = update(Callback).where(col(Callback.run_id) == row.run_id, col(Callback.next_us) == row.next_us)
                if session.exec(held.values(next_us=now_us + _HELD_US)).rowcount:
                    taken.append((row.model_copy(), _message(submitted, run)))
        return taken

    async def _send(self, row: Callback, body: bytes) -> None:
        moment = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": row.run_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign(self._key, row.run_id, moment, body),
        }
        state, error = DELIVERED, None
        try:
            await self._outgoing.send(
                "POST", row.url, trusted=False, headers=headers, content=body, timeout=_ANSWER_SECONDS,
                max_bytes=_MAX_ANSWER,
            )  # fmt: skip
        except BadInput as refused:  # an address that may not be reached
            state, error = GIVEN_UP, refused.detail
        except (RequestFailed, WorkletsError) as failure:
            state, error = WAITING if row.attempts < len(PAUSES) else GIVEN_UP, failure.detail
        if error is not None:
            logger.info("the callback of run %s: %s", row.run_id, error)
        await asyncio.to_thread(self._note, row, state, error)

    def _note(self, row: Callback, state: str, error: str | None) -> None:
        now = time.time_ns() // 1000
        changes: dict[str, Any] = {"state": state, "error": error, "attempts": row.attempts + 1}
        if state == WAITING:
            changes["next_us"] = now + int(PAUSES[row.attempts] * 1e6)
        else:
            changes["ended_us"] = now
        with self._store.session() as session:
            session.exec(update(Callback).where(col(Callback.run_id) == row.run_id).values(**changes))


def sign(key: bytes, id: str, moment: int, body: bytes) -> str:
    """The header `webhook-signature` of a message."""
    digest = hmac.new(key, f"{id}.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + b64encode(digest).decode()


def _message(submitted: SubmittedRun, run: Run | None) -> bytes:
    ended = submitted.ended_us or 0
    message = {
        "type": f"run.{submitted.state}",
        "id": submitted.id,
        "worklet": submitted.worklet,
        "version": submitted.version,
        "state": submitted.state,
        "created_us": submitted.created_us,
        "ended_us": ended,
        "output": None if run is None or run.output is None else orjson.Fragment(run.output),
        "error": _told(run.error) if run is not None and run.error else None,
    }
    return orjson.dumps(message)


def _told(error: dict[str, Any]) -> dict[str, Any]:
    return {name: error.get(name) for name in ("title", "detail", "node")}
