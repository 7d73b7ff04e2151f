"""Where a model runs, and why, in words that the page shows."""

from __future__ import annotations

from typing import NamedTuple

from ..connectors.errors import BadInput
from .differences import differences
from .manifest import Manifest

IN_PROCESS = "in-process"
SHARED_HOST = "shared-host"
ISOLATED = "isolated"
OWN_ENVIRONMENT = "own-environment"
TIERS = (IN_PROCESS, SHARED_HOST, ISOLATED, OWN_ENVIRONMENT)
IN_PROCESS_LIMIT = 50_000_000

# What the server's own process may be asked to run: plain Python, and native code that serving uses anyhow.
LIGHT = frozenset(
    {"cloudpickle", "joblib", "numpy", "orjson", "pandas", "pillow", "prefect-worklets", "pydantic", "python-dateutil",
     "scikit-learn", "scipy", "threadpoolctl"}
)  # fmt: skip


class TierChoice(NamedTuple):
    """A tier and the reason for it."""

    tier: str
    reason: str


def choose(manifest: Manifest, requested: str = "auto", *, limit: int = IN_PROCESS_LIMIT) -> TierChoice:
    """The tier of a package. Raises BadInput for a tier that does not exist."""
    if requested not in ("auto", *TIERS):
        raise BadInput(f"There is no tier {requested!r}; use auto, {', '.join(TIERS[:-1])} or {TIERS[-1]}.")
    wanted = manifest.serving.requirements
    if wanted:
        if requested not in ("auto", OWN_ENVIRONMENT):
            raise BadInput(f"A model with requirements runs in its own environment, not in the tier {requested!r}.")
        return TierChoice(OWN_ENVIRONMENT, f"it requires {', '.join(wanted)}")
    if requested == OWN_ENVIRONMENT:
        raise BadInput("The tier own-environment is for models with requirements; give `requirements=[...]`.")
    if requested != "auto":
        return TierChoice(requested, "asked for" + _differences(manifest))
    if manifest.serving.isolate:
        return TierChoice(ISOLATED, "it asks for a process of its own" + _differences(manifest))
    heavy = sorted(name for name in manifest.packages if name.lower() not in LIGHT)
    if heavy:
        reason = f"it uses {', '.join(heavy)}, whose memory and threads stay out of the server's process"
        return TierChoice(SHARED_HOST, reason + _differences(manifest))
    if manifest.size_bytes > limit:
        size = f"{manifest.size_bytes / 1e6:.0f} MB are over the {limit / 1e6:.0f} MB"
        return TierChoice(SHARED_HOST, f"{size} allowed in the server's process" + _differences(manifest))
    kind = "scikit-learn" if manifest.framework == "sklearn" else "plain Python"
    return TierChoice(IN_PROCESS, f"a small {kind} model: a call is a function call" + _differences(manifest))


def _differences(manifest: Manifest) -> str:
    found = [f"{name} {packed} there, {server or 'missing'} here" for name, packed, server in differences(manifest)]
    return f" (packed in another environment: {'; '.join(found)})" if found else ""
