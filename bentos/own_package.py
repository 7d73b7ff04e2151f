"""This package in an environment that does not lie on top of the server's: what it needs there, and how it is found."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTION = "prefect-worklets"
_PACKAGE = __name__.partition(".")[0]
# Below the package by their names; with an editable install they lie elsewhere.
_ROOMS = ("bentos", "connectors", "flows", "panel_views")
# What the process of worklets imports, at once or when a run needs it. A test holds it to the sources.
WORKLET_HOST = (
    "apprise", "cachetools", "cloudpickle", "cryptography", "httpx", "numpy", "orjson", "packaging", "pillow",
    "psycopg", "pydantic", "sqlalchemy", "sqlmodel",
)  # fmt: skip
_FINDER = '''"""Finds the server's own package where the server has it."""

import importlib.util
import sys

PLACES = {places!r}


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        place = PLACES.get(name)
        if place is None:
            return None
        file = place + "/__init__.py"
        return importlib.util.spec_from_file_location(name, file, submodule_search_locations=[place])


sys.meta_path.insert(0, Finder)
'''


def needed() -> tuple[str, ...]:
    """What the process of worklets imports, in the ranges that this package declares for itself."""
    found = []
    for text in importlib.metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        extra = requirement.marker is not None and "extra" in str(requirement.marker)
        if not extra and canonicalize_name(requirement.name) in WORKLET_HOST:
            found.append(str(requirement))
    return tuple(sorted(found))


def installed() -> tuple[str, ...]:
    """Every distribution that this process has, as `name==version`: what another environment had better hold too."""
    found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    own = canonicalize_name(DISTRIBUTION)
    return tuple(sorted(f"{name}=={version}" for name, version in found.items() if canonicalize_name(name) != own))


def places() -> dict[str, str]:
    """Where this package lies, and those of its parts that lie somewhere else, by their full names."""
    root = _place(_PACKAGE)
    assert root is not None
    found = {_PACKAGE: root}
    for room in _ROOMS:
        place = _place(f"{_PACKAGE}.{room}")
        if place is not None and place != f"{root}/{room}":
            found[f"{_PACKAGE}.{room}"] = place
    return found


def link_into(site_packages: Path) -> None:
    """Let an environment import this package from where it lies: the same code, at both ends of the socket."""
    (site_packages / "_server_package.py").write_text(_FINDER.format(places=places()))
    (site_packages / "_server_package.pth").write_text("import _server_package\n")
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    folder = site_packages / f"{DISTRIBUTION.replace('-', '_')}-{distribution.version}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(distribution.read_text("METADATA") or "")


def _place(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    locations = spec.submodule_search_locations if spec is not None else None
    return str(next(iter(locations))) if locations else None
