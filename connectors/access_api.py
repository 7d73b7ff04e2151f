"""The HTTP routes of users, keys and one's own account: below /api/users, /api/keys and /api/account."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .access import Access, Principal, Role, require
from .errors import BadInput, Fault, NotAllowed, NotFound
from .passwords import Passwords
from .tables import ApiKey, User
from .web import SESSION_COOKIE, Guard, clear_session_cookie, json_response, read_json

MAX_KEY_DAYS = 3650.0


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewUser(_Body):
    """The body of POST /api/users."""

    name: str
    role: str = "viewer"


class UserChange(_Body):
    """The body of PATCH /api/users/{name}; what is left out stays."""

    role: str | None = None
    disabled: bool | None = None


class NewLink(_Body):
    """The body of POST /api/users/{name}/links."""

    purpose: Literal["login", "password"] = "login"


class NewKey(_Body):
    """The body of POST /api/keys."""

    name: str
    role: str = "operator"
    days: Annotated[float, Field(gt=0, le=MAX_KEY_DAYS)] | None = None
    scopes: Annotated[list[str], Field(max_length=100)] | None = None


class PasswordChange(_Body):
    """The body of POST /api/account/password."""

    old: str = ""
    new: str


def access_routes(guard: Guard, passwords: Passwords, origin: str) -> list[BaseRoute]:
    """The routes. They raise WorkletsError, which the app answers as problem documents.

    Args:
        guard: knows who calls; its Access has the users and keys.
        passwords: of the users.
        origin: the address under which people reach the app, for links.
    """
    users, keys, account = _Users(guard, passwords, origin), _Keys(guard), _Account(guard, passwords)
    return [
        Route("/api/users", users.list, methods=["GET"]),
        Route("/api/users", users.add, methods=["POST"]),
        Route("/api/users/{name}", users.change, methods=["PATCH"]),
        Route("/api/users/{name}/links", users.link, methods=["POST"]),
        Route("/api/users/{name}/sign-out", users.sign_out, methods=["POST"]),
        Route("/api/keys", keys.list, methods=["GET"]),
        Route("/api/keys", keys.create, methods=["POST"]),
        Route("/api/keys/{name}", keys.revoke, methods=["DELETE"]),
        Route("/api/account", account.show, methods=["GET"]),
        Route("/api/account/password", account.change_password, methods=["POST"]),
        Route("/api/account/sign-out", account.sign_out, methods=["POST"]),
    ]


class _Users:
    """For admins."""

    def __init__(self, guard: Guard, passwords: Passwords, origin: str) -> None:
        self._guard = guard
        self._access = guard.access
        self._passwords = passwords
        self._origin = origin.rstrip("/")

    async def list(self, request: Request) -> Response:
        await self._guard(request, Role.admin, "see the users")
        users, with_password = await asyncio.to_thread(lambda: (self._access.users(), self._passwords.with_one()))
        return json_response({"users": [_user(user, user.id in with_password) for user in users]})

    async def add(self, request: Request) -> Response:
        await self._guard(request, Role.admin, "add users")
        body = await _read(request, NewUser)
        user = await asyncio.to_thread(self._access.add_user, body.name, body.role)
        return json_response(_user(user, False), 201)

    async def change(self, request: Request) -> Response:
        await self._guard(request, Role.admin, "change users")
        body, name = await _read(request, UserChange), request.path_params["name"]
        user = await asyncio.to_thread(_change_user, self._access, name, body)
        return json_response(_user(user, await asyncio.to_thread(self._passwords.has_one, user.id)))

    async def link(self, request: Request) -> Response:
        await self._guard(request, Role.admin, "make sign-in links")
        body, name = await _read(request, NewLink), request.path_params["name"]
        path = await asyncio.to_thread(self._link, name, body.purpose)
        return json_response({"url": self._origin + path, "purpose": body.purpose, "hours": 24}, 201)

    def _link(self, name: str, purpose: str) -> str:
        user = self._access.user(name)
        if user.disabled:
            raise BadInput(f"{name} is disabled; let them in again first.")
        if purpose == "password":
            return f"/invitation/{self._passwords.invite(user.id)}"
        return f"/login/{self._access.create_login_link(user.id)}"

    async def sign_out(self, request: Request) -> Response:
        await self._guard(request, Role.admin, "sign users out")
        name = request.path_params["name"]
        await asyncio.to_thread(lambda: self._access.end_sessions(self._access.user(name).id))
        return json_response({"name": name})


class _Keys:
    """A key is its maker's; an admin sees and ends all."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._access = guard.access

    async def list(self, request: Request) -> Response:
        principal = await self._guard(request, Role.operator, "see keys")
        keys = await asyncio.to_thread(self._access.keys)
        return json_response({"keys": [_key(key) for key in keys if _may_see(principal, key)]})

    async def create(self, request: Request) -> Response:
        principal = await self._guard(request, Role.operator, "make keys")
        if principal.id.startswith("key:"):
            # Else a key could outlive itself, and whoever revokes it would not know of the other.
            raise NotAllowed("A key can't make keys; sign in, or use `worklets keys create` on the server's machine.")
        body = await _read(request, NewKey)
        require(principal, Role.named(body.role), f"make a key with the role {body.role}")
        life = timedelta(days=body.days) if body.days is not None else None
        by = None if principal.id == "internal" else principal.id
        key = await asyncio.to_thread(
            lambda: self._access.create_key(body.name, body.role, life=life, by=by, scopes=body.scopes)
        )
        return json_response({"name": body.name, "role": body.role, "scopes": body.scopes, "key": key}, 201)

    async def revoke(self, request: Request) -> Response:
        principal = await self._guard(request, Role.operator, "revoke keys")
        name = request.path_params["name"]
        await asyncio.to_thread(self._revoke, principal, name)
        return Response(status_code=204)

    def _revoke(self, principal: Principal, name: str) -> None:
        made = self._access.keys()
        found = next((each for each in made if each.name == name and _may_see(principal, each)), None)
        if found is None:
            raise NotFound(f"There is no key named {name[:100]!r}; `worklets keys list` shows them.")
        self._access.revoke_key(name)


class _Account:
    """One's own."""

    def __init__(self, guard: Guard, passwords: Passwords) -> None:
        self._guard = guard
        self._passwords = passwords

    async def show(self, request: Request) -> Response:
        principal = await self._guard(request, Role.viewer, "see your account")
        has_one = await asyncio.to_thread(self._passwords.has_one, principal.id)
        told = {"id": principal.id, "name": principal.name, "role": principal.role.name, "password": has_one}
        return json_response(told)

    async def change_password(self, request: Request) -> Response:
        principal, token = await self._signed_in(request)
        body = await _read(request, PasswordChange)
        await asyncio.to_thread(self._passwords.change, principal.id, body.old, body.new, token)
        return json_response({"name": principal.name})

    async def sign_out(self, request: Request) -> Response:
        principal, _ = await self._signed_in(request)
        await asyncio.to_thread(self._guard.access.end_sessions, principal.id)
        answer = json_response({"name": principal.name})
        clear_session_cookie(answer)
        return answer

    async def _signed_in(self, request: Request) -> tuple[Principal, str]:
        principal = await self._guard(request, Role.viewer, "change your account")
        token = request.cookies.get(SESSION_COOKIE, "")
        if request.headers.get("authorization") or not token:
            raise NotAllowed("A key has no account; sign in with a browser.")
        return principal, token


def _change_user(access: Access, name: str, change: UserChange) -> User:
    if change.role is not None:
        access.set_role(name, change.role)
    if change.disabled is not None:
        (access.disable_user if change.disabled else access.enable_user)(name)
    return access.user(name)


def _may_see(principal: Principal, key: ApiKey) -> bool:
    return principal.role >= Role.admin or key.created_by == principal.id


def _user(user: User, has_password: bool) -> dict[str, Any]:
    told = {"id": user.id, "name": user.name, "role": user.role, "disabled": user.disabled, "password": has_password}
    return told | {"created_at": user.created_at}


def _key(key: ApiKey) -> dict[str, datetime | str | list[str] | None]:
    return key.model_dump(exclude={"key_hash"})


Given = TypeVar("Given", bound=_Body)


async def _read(request: Request, kind: type[Given]) -> Given:
    try:
        return kind.model_validate(await read_json(request, 10_000))
    except ValidationError as error:
        faults = [Fault(tuple(each["loc"]), each["msg"], each["type"]) for each in error.errors()]
        raise BadInput("The body does not fit.", faults=faults) from None
