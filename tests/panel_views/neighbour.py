"""The HTTP app's part in these tests: the routes that a view calls, on the real store, and the way to the views.

python neighbour.py DATA PORT VIEWS_PORT
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from pathlib import Path

import uvicorn
from PIL import Image, ImageOps
from prefect_worklets.connectors.access import Access, Principal, Role
from prefect_worklets.connectors.errors import BadInput, Fault, WorkletsError
from prefect_worklets.connectors.file_addresses import file_id, file_url
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.passwords import Passwords
from prefect_worklets.connectors.secret import derived_key
from prefect_worklets.connectors.shares import Shares
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import TableRow, new_id
from prefect_worklets.connectors.web import Guard, json_response, problem_response, read_json
from prefect_worklets.flows.files_api import FilesApi
from prefect_worklets.panel_views import api as views_api
from prefect_worklets.panel_views.share_pages import share_routes
from prefect_worklets.panel_views.shares_api import shares_routes
from sqlmodel import col, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from prefect_worklets.proxy import ViewsProxy

ORIGIN = f"http://127.0.0.1:{sys.argv[2] if len(sys.argv) > 2 else 0}"
INTERNAL_KEY = "key-between-the-processes-of-this-test"


class Neighbour:
    def __init__(self, data: DataDirectory, views: str) -> None:
        self.store = Store(data.database_url)
        self.files = FileStore(self.store, data.files)
        self.access = Access(self.store, INTERNAL_KEY)
        self.shares = Shares(self.store, derived_key(data, "shares"), Passwords(self.store, self.access))
        self.guard = Guard(self.access, self.shares)
        self.views = views

    async def rows(self, request: Request) -> Response:
        who = await self.guard(request, Role.viewer)
        limit = int(request.query_params.get("limit", "20"))
        return json_response({"rows": await asyncio.to_thread(self._rows, request.path_params["name"], who.id, limit)})

    def _rows(self, table: str, owner: str, limit: int) -> list[dict[str, object]]:
        query = select(TableRow).where(TableRow.table_name == table, TableRow.owner == owner)
        with self.store.read() as session:
            found = session.exec(query.order_by(col(TableRow.created_at).desc()).limit(limit)).all()
        return [{"id": row.id, "created_at": row.created_at.isoformat(), "data": row.data} for row in found]

    async def invoke(self, request: Request) -> Response:
        who = await self.guard(request, Role.viewer)
        given = await read_json(request)
        faults = [Fault((name,), "Field required") for name in ("content", "style") if not given.get(name)]
        if given.get("style") and (file_id(given["style"]) is None):
            faults.append(Fault(("style",), "found no picture <img src=x onerror=alert(1)>"))
        if faults:
            raise BadInput("The input of 'stylize' does not fit.", faults=faults)
        return json_response(await asyncio.to_thread(self._paint, given, who))

    def _paint(self, given: dict[str, object], who: Principal) -> dict[str, object]:
        begun = time.perf_counter()
        size = int(given.get("size", 384))  # type: ignore[call-overload]
        pictures = [
            Image.open(io.BytesIO(self.files.read(file_id(str(given[name])) or ""))).convert("RGB")
            for name in ("content", "style")
        ]
        content = ImageOps.contain(pictures[0], (size, size))
        style = ImageOps.fit(pictures[1], content.size)
        painted = Image.blend(ImageOps.posterize(content, 3), style, 0.45)
        buffer = io.BytesIO()
        painted.save(buffer, format="PNG")
        row = self.files.put(buffer.getvalue(), name="stylized.png", content_type="image/png", owner=who.id)
        answer: dict[str, object] = {
            "image": file_url(row.id),
            "width": painted.width,
            "height": painted.height,
            "model": "style-transfer",
            "model_version": "1",
            "seconds": round(time.perf_counter() - begun, 3),
        }
        with self.store.session() as session:
            session.add(TableRow(table_name="stylized", run_id=new_id(), node="save", owner=who.id, data=answer))
        return answer

    async def login(self, request: Request) -> Response:
        token = request.query_params.get("token")
        if not token:
            return Response("Sign in here", media_type="text/plain")
        session = await asyncio.to_thread(self.access.redeem_login_link, token)
        answer = RedirectResponse(request.query_params.get("next", "/views/"))
        answer.set_cookie("worklets_session", session, httponly=True, samesite="lax")
        return answer

    async def logout(self, request: Request) -> Response:
        await asyncio.to_thread(self.access.end_session, request.cookies.get("worklets_session", ""))
        return Response("bye")

    def app(self) -> Starlette:
        async def tell(request: Request, error: Exception) -> Response:
            assert isinstance(error, WorkletsError)
            return problem_response(error)

        views = ViewsProxy(self.views)
        return Starlette(
            routes=[
                *share_routes(self.store, self.access, self.shares, views),
                *shares_routes(self.store, self.guard, self.shares, ORIGIN),
                *FilesApi(self.guard, self.files).routes(),
                Route("/api/tables/{name}/rows", self.rows),
                Route("/api/worklets/stylize/invoke", self.invoke, methods=["POST"]),
                *views_api.routes(self.store, self.guard),
                Route("/login", self.login),
                Route("/logout", self.logout),
                Mount("/views", app=views),
            ],
            exception_handlers={WorkletsError: tell},
        )


if __name__ == "__main__":
    neighbour = Neighbour(DataDirectory(Path(sys.argv[1])), f"http://127.0.0.1:{sys.argv[3]}")
    uvicorn.run(neighbour.app(), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
