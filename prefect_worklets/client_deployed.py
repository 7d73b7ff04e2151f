"""What a client gives out of models: those that are deployed, and the zoo of a running server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .client_arrays import NPY, request_of
from .client_http import Connection, read_json, segment
from .connectors.errors import BadInput
from .progress import working

# A model may take long to load: a large one reads its weights, compiles, and is tried with its sample.
DEPLOY_SECONDS = 900.0
VERSION_HEADER = "x-model-version"


class Model:
    """A model of the server. `deploy` gives one of the version that it made; `client.models[name]` the live one.

    Attributes:
        name: its name.
        version: the version that it asks; None for the one that is live.
    """

    def __init__(self, connection: Connection, name: str, version: str | None = None) -> None:
        self._connection = connection
        self.name = name
        self.version = version

    def predict(self, inputs: Any, *, timeout: float | None = None) -> Any:
        """The model's outputs for these inputs: an array for an array, else JSON data.

        Args:
            inputs: an array (sent as it is, without JSON), a list, a DataFrame, a picture, or a dict by the model's
                fields.
            timeout: seconds that the model may take.

        Raises:
            BadInput: they don't fit; every fault is listed.
            ModelFailed, TookTooLong, NotFound, Unavailable: as the server says.
        """
        return self.answer(inputs, timeout=timeout)["outputs"]

    def answer(self, inputs: Any, *, timeout: float | None = None) -> dict[str, Any]:
        """As `predict`, with the model's name and version: `{"outputs", "model", "version"}`."""
        asked = self.name if self.version is None else f"{self.name}@{self.version}"
        path = f"/api/models/{segment(asked)}/predict"
        wait = None if timeout is None else timeout + 10  # the server's own refusal comes first
        sent = request_of(inputs)
        answer = self._connection.send(
            "POST", path, content=sent.content, headers=sent.headers, params={"timeout": timeout}, timeout=wait
        )
        if answer.headers.get("content-type") == NPY:
            from .bentos.npy import read_npy

            return {"outputs": read_npy(answer.content), "model": self.name, "version": answer.headers[VERSION_HEADER]}
        found: dict[str, Any] = read_json(answer)
        return found

    def details(self) -> dict[str, Any]:
        """All about it: its live version with signature, and its versions; or about the one version asked for."""
        rest = "" if self.version is None else f"/versions/{segment(self.version)}"
        found: dict[str, Any] = self._connection.get(self._path(rest))
        return found

    def versions(self) -> list[dict[str, Any]]:
        """Its versions, newest first."""
        found: list[dict[str, Any]] = self._connection.get(self._path("/versions"))["versions"]
        return found

    def promote(self, version: str | None = None) -> Model:
        """Let that version (this handle's own if None) answer. Raises BadInput if neither names one."""
        wanted = version or self.version
        if wanted is None:
            raise BadInput(f"Say which version of {self.name!r} to promote; `versions()` lists them.")
        return self._deployed("/promote", {"version": wanted})

    def rollback(self) -> Model:
        """Let the version before the live one answer."""
        return self._deployed("/rollback", {})

    def traffic(self) -> dict[str, Any]:
        """Which versions answer and how much: `split`, `shadow`, and `versions` with their counts."""
        found: dict[str, Any] = self._connection.get(self._path("/traffic"))
        return found

    def split(self, shares: Mapping[str, float]) -> dict[str, Any]:
        """Give versions a share of the requests, in percent; the live version has the rest. Empty ends it.

        Raises:
            BadInput: the shares don't fit. NotFound: no such version. DefinitionError, ModelFailed: it doesn't come up.
        """
        return self._shared({"split": dict(shares), "shadow": self._shadow_rule()})

    def shadow(self, version: str | None = None, *, sample: float = 1.0, tolerance: float = 1e-6) -> dict[str, Any]:
        """Have a version asked what the live one is asked, and compared; None ends it. Callers never see its answers.

        Args:
            version: which; None: nobody listens any more.
            sample: the share of the requests, 0 to 1.
            tolerance: how far two numbers may lie apart, relative to the larger.

        Raises:
            BadInput, NotFound, ModelFailed.
        """
        rule = None if version is None else {"version": version, "sample": sample, "tolerance": tolerance}
        return self._shared({"split": self.traffic()["split"], "shadow": rule})

    def differences(self, limit: int = 50) -> list[dict[str, Any]]:
        """The requests that the shadow answered otherwise or failed, newest first."""
        answer = self._connection.get(self._path("/traffic/differences"), limit=limit)
        found: list[dict[str, Any]] = answer["differences"]
        return found

    def _shadow_rule(self) -> dict[str, Any] | None:
        seen = self.traffic()["shadow"]
        return None if seen is None else {key: seen[key] for key in ("version", "sample", "tolerance")}

    def _shared(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._connection.send("PUT", self._path("/traffic"), body=dict(rule), timeout=DEPLOY_SECONDS)
        found: dict[str, Any] = read_json(answer)
        return found

    def change(
        self,
        *,
        description: str | None = None,
        labels: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        monitor: Mapping[str, Any] | None = None,
        revision: str | None = None,
    ) -> dict[str, Any]:
        """Change what is written of it; what is None stays.

        Args:
            monitor: what is kept of its requests, as for `deploy`; the whole of it.
            revision: the one of `details()`; somebody else's change since then is then kept, and Conflict raised.
        """
        changes: dict[str, Any] = {
            "description": description,
            "labels": labels,
            "metadata": metadata,
            "monitor": monitor,
            "revision": revision,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        found: dict[str, Any] = read_json(self._connection.send("PATCH", self._path(), body=given))
        return found

    def pulse(self) -> dict[str, Any]:
        """The last ten minutes in steps of five seconds: at, answered, failed, refused, p50, p95 (in seconds)."""
        found: dict[str, Any] = self._connection.get(self._path("/pulse"))
        return found

    def logs(self, lines: int = 200) -> list[str]:
        """The last lines that this version (the live one if None) printed, and the tracebacks of what it raised."""
        found: dict[str, Any] = self._connection.get(self._path("/logs"), lines=lines, version=self.version)
        printed: list[str] = found["lines"]
        return printed

    def samples(self, limit: int = 50) -> list[dict[str, Any]]:
        """What it (this version, if the handle has one) was asked and answered, newest first, as far as it is kept."""
        answer = self._connection.get(self._path("/samples"), limit=limit, version=self.version)
        found: list[dict[str, Any]] = answer["samples"]
        return found

    def drift(self) -> dict[str, Any]:
        """How far what it is asked has moved from its reference: `says`, and `features` with distance, p, drifted."""
        found: dict[str, Any] = self._connection.get(self._path("/drift"), version=self.version)
        return found

    def dependants(self) -> list[dict[str, Any]]:
        """The worklets that ask it and the views that run these: kind, name, through, live."""
        found: list[dict[str, Any]] = self._connection.get(self._path("/dependants"))["dependants"]
        return found

    def export(self, folder: str | Path) -> Path:
        """Write a folder for stock BentoML: `bentoml serve`, `build` and `containerize` take it; no server is needed.

        Args:
            folder: made; must be empty if it exists.

        Raises:
            BadInput: the folder is not empty. NotAllowed: only builders may have a model's files.
        """
        from .client_exports import export

        return export(self._connection, self.name, self._version(), Path(folder).expanduser().resolve())

    def export_bento(self, store: str | Path) -> str:
        """Build it as a bento into a BentoML store (a `BENTOML_HOME`); returns the tag for `bentoml serve`.

        Raises:
            SetupError: BentoML could not build it. NotAllowed: only builders may have a model's files.
        """
        from .client_exports import export_bento

        return export_bento(self._connection, self.name, self._version(), Path(store).expanduser().resolve())

    def _version(self) -> str:
        """Its version; of a handle without one, the live one. Raises BadInput."""
        found = self.version or self.details()["live_version"]
        if found is None:
            raise BadInput(f"No version of {self.name!r} is live; name one, as in {self.name}@1.0.0.")
        return str(found)

    def delete(self, *, force: bool = False) -> None:
        """Delete it with all its versions. Raises Conflict while something needs it, unless `force`."""
        self._connection.send("DELETE", self._path(), params={"force": "true"} if force else None)

    def _deployed(self, action: str, body: Mapping[str, Any]) -> Model:
        row = self._connection.post(self._path(action), body, timeout=DEPLOY_SECONDS)
        return Model(self._connection, self.name, row["version"])

    def _path(self, rest: str = "") -> str:
        return f"/api/models/{segment(self.name)}{rest}"

    def __repr__(self) -> str:
        asked = self.name if self.version is None else f"{self.name}@{self.version}"
        return f"<model {asked} at {self._connection.url}>"


class RemoteModels:
    """The models of the server, by name, or as `name@version`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getitem__(self, name: str) -> Model:
        name, _, version = name.partition("@")
        return Model(self._connection, name, version or None)

    def __iter__(self) -> Iterator[Model]:
        return iter([self[entry["name"]] for entry in self.list()])

    def list(self) -> list[dict[str, Any]]:
        """Every model: name, live version and more."""
        found: list[dict[str, Any]] = self._connection.get("/api/models")["models"]
        return found


class RemoteZoo:
    """The models that the server can deploy by name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[dict[str, Any]]:
        """Every entry: name, title, description, credit."""
        found: list[dict[str, Any]] = self._connection.get("/api/zoo")["entries"]
        return found

    def deploy(self, entry: str, *, name: str | None = None, tier: str = "auto") -> Model:
        """Deploy an entry and wait until it is live.

        Args:
            entry: its name in the zoo.
            name: what the model is called here; the entry's own name if None.
            tier: where it runs; the server chooses by itself.

        Raises:
            NotFound: the zoo has no such entry.
            SetupError: the server lacks the package with its weights.
        """
        body = {"tier": tier} | ({"name": name} if name else {})
        with working(f"Deploying {entry}"):
            row = self._connection.post(f"/api/zoo/{segment(entry)}/deploy", body, timeout=DEPLOY_SECONDS)
        return Model(self._connection, row["model"], row["version"])
