"""The one tree of exceptions. Each class owns its HTTP status (RFC 9457 `status` and `title`).

WorkletsError
├── BadInput          400  the caller sent something that does not fit; every fault is listed
│   └── DefinitionError    a worklet, view or model is defined wrongly
├── NotSignedIn       401
├── NotAllowed        403
├── NotFound          404
├── Conflict          409
├── TooLarge          413
├── TooMany           429  too often in a short time; `wait` says for how long to wait
├── NodeFailed        500  a node of a worklet raised
├── RequestFailed     502  another server gave a request of ours no success
├── ModelFailed       502  a model raised, crashed or answered nonsense
├── Unavailable       503  a part is down or still starting; trying again helps
├── TookTooLong       504
└── SetupError        500  this installation lacks something; the message says the fix
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where (`loc`), what (`msg`), of which sort (`type`), and the `fix` if known."""

    loc: tuple[str | int, ...]
    msg: str
    type: str = "invalid"
    fix: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fault as an entry of a problem document's `errors`."""
        entry: dict[str, Any] = {"loc": list(self.loc), "msg": self.msg, "type": self.type}
        if self.fix:
            entry["fix"] = self.fix
        return entry

    def __str__(self) -> str:
        place = ".".join(str(part) for part in self.loc)
        text = f"{place}: {self.msg}" if place else self.msg
        return f"{text} ({self.fix})" if self.fix else text


class WorkletsError(Exception):
    """Base of every error that this package raises on purpose. `str()` is one line: what, why, what next."""

    status: int = 500
    title: str = "Something failed"

    def __init__(self, detail: str, *, faults: Iterable[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults: Sequence[Fault] = tuple(faults)

    @property
    def slug(self) -> str:
        """The last part of the problem's `type`, from the class name: `bad-input`."""
        return "".join("-" + c.lower() if c.isupper() else c for c in type(self).__name__).lstrip("-")

    def __str__(self) -> str:
        if not self.faults:
            return self.detail
        return self.detail + "".join(f"\n  - {fault}" for fault in self.faults)


class BadInput(WorkletsError):
    """The caller sent something that does not fit."""

    status, title = 400, "Bad input"


class DefinitionError(BadInput):
    """A worklet, view or model is defined wrongly; all faults are listed."""

    title = "Bad definition"


class NotSignedIn(WorkletsError):
    """No key or session, or one that is unknown, expired or revoked."""

    status, title = 401, "Not signed in"


class NotAllowed(WorkletsError):
    """The caller is known, and may not do this."""

    status, title = 403, "Not allowed"


class NotFound(WorkletsError):
    """The thing named does not exist, or the caller may not know that it does."""

    status, title = 404, "Not found"


class NotAcceptable(WorkletsError):
    """The answer cannot be had in the form that `Accept` asks for."""

    status, title = 406, "Not acceptable"


class Conflict(WorkletsError):
    """The thing exists already, or has changed in between."""

    status, title = 409, "Conflict"


class TooLarge(WorkletsError):
    """The body, file or answer is over its limit."""

    status, title = 413, "Too large"


class WrongMediaType(WorkletsError):
    """The body is of a type that the route does not read."""

    status, title = 415, "Wrong media type"


class TooMany(WorkletsError):
    """Too often in a short time; waiting helps. `wait` is in seconds."""

    status, title = 429, "Too many requests"

    def __init__(self, detail: str, *, wait: float = 1.0) -> None:
        super().__init__(detail)
        self.wait = wait


class NodeFailed(WorkletsError):
    """A node of a worklet raised. `node` names it; `repeatable` says whether another attempt may help."""

    status, title = 500, "A node failed"

    def __init__(self, detail: str, *, node: str, faults: Iterable[Fault] = (), repeatable: bool = True) -> None:
        super().__init__(detail, faults=faults)
        self.node = node
        self.repeatable = repeatable


class RequestFailed(WorkletsError):
    """Another server gave no success. `repeatable`: asking again may help, after `wait` seconds."""

    status, title = 502, "A request failed"

    def __init__(self, detail: str, *, repeatable: bool, wait: float = 0.0) -> None:
        super().__init__(detail)
        self.repeatable = repeatable
        self.wait = wait


class ModelFailed(WorkletsError):
    """A model raised, crashed or answered nonsense."""

    status, title = 502, "The model failed"


class Unavailable(WorkletsError):
    """A part is down or still starting; trying again helps."""

    status, title = 503, "Unavailable"


class TookTooLong(WorkletsError):
    """A time limit passed."""

    status, title = 504, "Took too long"


@dataclass
class FaultList:
    """Collects faults so that all are told at once."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, loc: Iterable[str | int], msg: str, *, type: str = "invalid", fix: str | None = None) -> None:
        """Note one fault."""
        self.faults.append(Fault(tuple(loc), msg, type, fix))

    def raise_if_any(self, detail: str, error: type[WorkletsError] = BadInput) -> None:
        """Raise `error` with every fault noted so far, if there is one."""
        if self.faults:
            raise error(detail, faults=self.faults)


class SetupError(WorkletsError):
    """This installation lacks something; the message says the fix."""

    status, title = 500, "Set-up"
