"""The pages of users, keys and one's own account. Their buttons use the JSON API."""

from __future__ import annotations

from starlette.responses import Response

from ...connectors.access import Role, require
from ...connectors.passwords import SHORTEST
from ...connectors.tables import now
from .site import Page, Site, Visit

_ROLES = ("viewer", "operator", "builder", "admin")
_MAY = {
    "viewer": "look at views and use them",
    "operator": "also invoke worklets and ask models by the API",
    "builder": "also push code, deploy models and publish views",
    "admin": "also manage users and keys, and see everybody's files",
}


def access_pages() -> dict[str, Page]:
    """The pages by their address."""
    return {"/console/users": user_list, "/console/keys": key_list, "/console/account": account}


def user_list(site: Site, visit: Visit) -> Response:
    """/console/users"""
    require(visit.principal, Role.admin, "see the users")
    return site.render(
        visit,
        "users.html",
        section="access",
        users=site.guard.access.users(),
        with_password=site.passwords.with_one(),
        roles=_ROLES,
        may=_MAY,
    )


def key_list(site: Site, visit: Visit) -> Response:
    """/console/keys"""
    require(visit.principal, Role.operator, "see keys")
    sees_all = visit.may(Role.admin)
    made = site.guard.access.keys()
    keys = [key for key in made if sees_all or key.created_by == visit.principal.id]
    at = now()
    return site.render(
        visit,
        "keys.html",
        section="access",
        keys=keys,
        ended={key.id for key in keys if key.revoked_at or (key.expires_at and key.expires_at <= at)},
        makers=site.queries.caller_names(key.created_by for key in keys),
        sees_all=sees_all,
        roles=[name for name in _ROLES if Role[name] <= visit.principal.role],
        may=_MAY,
    )


def account(site: Site, visit: Visit) -> Response:
    """/console/account"""
    has_one = site.passwords.has_one(visit.principal.id)
    return site.render(visit, "account.html", section="account", has_one=has_one, shortest=SHORTEST)
