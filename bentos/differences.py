"""How the environment that a model was packed in differs from the one that it runs in."""

from __future__ import annotations

import functools
import platform
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .manifest import Manifest, installed_versions


class Difference(NamedTuple):
    """A package (or Python): its version where the model was packed, and on the server; None where it is missing."""

    name: str
    packed: str
    server: str | None


def differences(manifest: Manifest) -> list[Difference]:
    """What differs here.

    Of a model with requirements, its own environment has what these name, and the server's packages are under it.
    """
    own = {_name(requirement) for requirement in manifest.serving.requirements}
    found = [
        Difference(name, version, _here(name))
        for name, version in manifest.packages.items()
        if _here(name) != version and canonicalize_name(name) not in own
    ]
    if tuple(manifest.python.split(".")[:2]) != platform.python_version_tuple()[:2]:
        found.append(Difference("Python", manifest.python, platform.python_version()))
    return found


@functools.cache  # what is imported already stays as it is until the process ends
def _here(name: str) -> str | None:
    return installed_versions([name]).get(name)


def _name(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return requirement
