"""The running server from Python: deploy, push, invoke, ask."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .client_deployed import DEPLOY_SECONDS, Model, RemoteModels, RemoteZoo
from .client_handles import RemoteReviews, RemoteRuns, RemoteSchedules, RemoteWorklet, RemoteWorklets
from .client_http import Connection, read_json, segment
from .client_views import RemoteDrafts
from .connectors.errors import SetupError
from .connectors.layout import DataDirectory
from .flows.view_definition import ViewDefinition
from .profile import read_profile
from .progress import Say, working
from .settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

    from .panel_views.ui import Custom

__all__ = ["Client", "Model", "RemoteWorklet", "Zoo", "deploy", "zoo"]

_PART = 1 << 20


class Client:
    """A running server.

    Args:
        url: its address. By default WORKLETS_URL, or else the profile that `worklets up` wrote.
        key: an API key. By default WORKLETS_KEY, or else the profile's.
        data_dir: the data directory whose profile to read, whatever the environment says.

    Raises:
        SetupError: no server or no key is known.

    Attributes:
        worklets, models, runs, zoo, schedules, reviews: what the server has.
        drafts: views that are being made, and their versions.
    """

    def __init__(self, url: str | None = None, key: str | None = None, data_dir: str | Path | None = None) -> None:
        self._connection = Connection(*find_server(url, key, data_dir))
        self.worklets = RemoteWorklets(self._connection)
        self.models = RemoteModels(self._connection)
        self.runs = RemoteRuns(self._connection)
        self.zoo = RemoteZoo(self._connection)
        self.schedules = RemoteSchedules(self._connection)
        self.reviews = RemoteReviews(self._connection)
        self.drafts = RemoteDrafts(self._connection)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._connection.url

    def deploy(
        self,
        model: Any,
        name: str,
        *,
        version: str | None = None,
        sample_input: Any = None,
        requirements: Iterable[str] | None = None,
        isolate: bool = False,
        metadata: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        timeout: float | None = None,
        max_concurrency: int | None = None,
        batch: Literal["auto"] | bool | Mapping[str, Any] = "auto",
        monitor: bool | Mapping[str, Any] | None = None,
        reference: Any = None,
        files: Iterable[str | Path] = (),
        description: str = "",
        tier: str = "auto",
        live: bool = True,
    ) -> Model:
        """Pack a model, send it, and wait until it answers. If it fails, what was live goes on answering.

        Args:
            model: a fitted scikit-learn, XGBoost or LightGBM estimator, a PyTorch module, a Keras model, an ONNX
                model, the path of a file that one of these wrote, an object or class with `predict`, a function, or
                the place of a class: 'module:Class', 'file.py:Class'.
            name: under which it answers.
            version: such as '1.2.0'; by default the next one.
            sample_input: an input to try it with; types, shapes and column names are read from it.
            requirements: packages of an environment of its own, such as ["scikit-learn==1.5.2"], or the word
                "installed" for the packages that it uses here, in the versions that are installed here.
            isolate: give it a process of its own, so that a crash in native code costs nobody else anything.
            metadata: facts to keep; `method` chooses the method of a scikit-learn model.
            labels: short texts to find it by.
            timeout: seconds that a call may take; 60 if None.
            max_concurrency: how many of its calls may compute at once; by default as many as the server has cores.
            batch: whether calls that come while another computes go to the model as one array: "auto" where the
                server finds that right and quicker, True or {"max_size": rows} demands it, False never.
            monitor: samples of its requests: True or False, or {"sensitive": ["ssn"], "per_minute": 60, "max_bytes":
                20000, "keep": 1000, "days": 7}; None leaves what holds for the model, at first these numbers.
            reference: rows that it was trained on; what it is asked later is compared with them, to find drift. By
                default the sample_input, if it has 50 rows or more.
            files: files and folders to pack beside it.
            description: for people.
            tier: where it runs: auto, in-process, shared-host or isolated.
            live: False brings it up beside the live version, to answer as `name@version`, by a share of the requests
                (`Model.split`) or as a shadow.

        Warns:
            UserWarning: the server has other versions of the model's packages than there are here.

        Raises:
            DefinitionError, BadInput: it can't be packed; every fault is listed.
            ModelFailed: it raised when it was tried.
            Conflict: that version exists with another content.
        """
        import shutil

        from .bentos.package import archive, pack

        with working(f"Packing {name}") as say:
            folder = pack(
                model, name, version=version, sample_input=sample_input, metadata=metadata, labels=labels, files=files,
                description=description, requirements=requirements or (), isolate=isolate, timeout=timeout,
                max_concurrency=max_concurrency, batch=batch, monitor=monitor, reference=reference,
            )  # fmt: skip
            try:
                packed, digest = archive(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            try:
                row = self._upload(
                    packed, digest, name, {"version": version, "tier": tier, "live": str(live).lower()}, say
                )
            finally:
                packed.unlink(missing_ok=True)
        _tell_differences(name, row.get("differences") or [])
        return Model(self._connection, row["model"], row["version"])

    def _upload(self, packed: Path, digest: str, name: str, params: Mapping[str, Any], say: Say) -> dict[str, Any]:
        size = packed.stat().st_size

        def parts() -> Iterator[bytes]:
            sent = 0
            with packed.open("rb") as file:
                while part := file.read(_PART):
                    yield part
                    sent += len(part)
                    say(f"Sending {name}: {100 * sent // size} %" if sent < size else f"Trying {name} on the server")

        answer = self._connection.send(
            "POST",
            f"/api/models/{segment(name)}/versions",
            content=parts(),
            headers={"content-type": "application/gzip", "content-length": str(size), "x-content-sha256": digest},
            params=params,
            timeout=DEPLOY_SECONDS,
        )
        row: dict[str, Any] = read_json(answer)
        return row

    def push(self, path: str | Path = ".", *, name: str | None = None, draft: bool = False) -> list[dict[str, Any]]:
        """Push a project folder: every worklet in it goes live, or none.

        Args:
            path: the folder.
            name: the project's name; the folder's own if None.
            draft: nothing goes live; each worklet answers as `NAME@VERSION` until it is promoted.

        Returns:
            For each worklet its name, version, whether that version is new, and whether it is live.

        Raises:
            BadInput: there is no such folder.
            DefinitionError: with every fault of every file.
        """
        from .flows import bundle

        folder = Path(path).expanduser()
        with working(f"Pushing {folder}"):
            content = bundle.pack(folder)
            answer = self._connection.send(
                "POST",
                f"/api/projects/{segment(name or bundle.project_name(folder))}/versions",
                params={"draft": "true"} if draft else None,
                content=iter((content,)),
                headers={"content-type": "application/gzip", "content-length": str(len(content))},
            )
        pushed: list[dict[str, Any]] = read_json(answer)["worklets"]
        return pushed

    def views(self) -> list[dict[str, Any]]:
        """The views that you may open."""
        found: list[dict[str, Any]] = self._connection.get("/api/views")["views"]
        return found

    def view(self, slug: str) -> dict[str, Any]:
        """The published document of a view. Raises NotFound."""
        found: dict[str, Any] = self._connection.get(f"/api/views/{segment(slug)}")
        return found

    def publish_view(self, document: Mapping[str, Any] | ViewDefinition) -> dict[str, Any]:
        """Publish a view document, or what `pw.view` made; tells its slug, version and address.

        Raises DefinitionError with every fault.
        """
        content = document.document if isinstance(document, ViewDefinition) else document
        found: dict[str, Any] = self._connection.post("/api/views", content)
        return found

    def push_component(self, component: type[Custom] | Mapping[str, Any]) -> dict[str, Any]:
        """Push a component that you wrote (a subclass of `pw.ui.Custom`), or its definition; tells name and version.

        `worklets push` does the same for the classes that a project's views have.

        Raises DefinitionError with every fault.
        """
        definition = component.definition() if isinstance(component, type) else component
        pushed: dict[str, Any] = self._connection.post("/api/views/custom", dict(definition or {}))
        return pushed

    def components(self) -> list[dict[str, Any]]:
        """The components that were pushed, with their properties."""
        found: list[dict[str, Any]] = self._connection.get("/api/views/custom")["components"]
        return found

    def component(self, name: str) -> dict[str, Any]:
        """The newest definition of a component that was pushed, with its script. Raises NotFound."""
        found: dict[str, Any] = self._connection.get(f"/api/views/custom/{segment(name)}")
        return found

    def remove_component(self, name: str) -> None:
        """Forget a component that was pushed. Raises NotFound."""
        self._connection.send("DELETE", f"/api/views/custom/{segment(name)}")

    def share_view(
        self, slug: str, *, days: float | None = None, password: str | None = None, label: str = ""
    ) -> dict[str, Any]:
        """Make a link by which anyone may use a view; tells its `url`, `id` and more.

        Args:
            slug: the view.
            days: how long it is valid; None until it is revoked.
            password: asked of whoever opens it.
            label: what it is for.

        Raises:
            NotFound, NotAllowed, BadInput: as the server says.
        """
        body = {"days": days, "password": password, "label": label}
        found: dict[str, Any] = self._connection.post(f"/api/views/{segment(slug)}/shares", body)
        return found

    def shares(self, slug: str) -> list[dict[str, Any]]:
        """The links to a view, newest first."""
        found: list[dict[str, Any]] = self._connection.get(f"/api/views/{segment(slug)}/shares")["shares"]
        return found

    def unshare_view(self, slug: str, id: str) -> None:
        """End a link. Raises NotFound."""
        self._connection.send("DELETE", f"/api/views/{segment(slug)}/shares/{segment(id)}")

    def read_file(self, address: str) -> bytes:
        """The content of a stored file, by its address `/api/files/...`, as outputs name it. Raises NotFound."""
        if not address.startswith("/api/files/"):
            raise SetupError(f"{address[:100]!r} is no stored file's address; it begins with /api/files/.")
        return self._connection.send("GET", address).content

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<client of {self.url}>"


def _tell_differences(name: str, found: list[Mapping[str, Any]]) -> None:
    if found:
        shown = ", ".join(
            f"{each['name']} {each['packed']} here and {each['server'] or 'none'} there" for each in found
        )
        warnings.warn(
            f"{name} is deployed, and the server's environment is another than this one: {shown}. "
            "requirements='installed' gives a model the packages that it has here.",
            stacklevel=3,
        )


def find_server(url: str | None = None, key: str | None = None, data_dir: str | Path | None = None) -> tuple[str, str]:
    """The server's address and a key: what is given, else the environment's, else the profile's. Raises SetupError."""
    if data_dir is not None:
        profile = read_profile(DataDirectory(Path(data_dir).expanduser().resolve()))
        return url or profile.url, key or profile.key
    settings = Settings()
    url = url or settings.url
    key = key or (settings.key.get_secret_value() if settings.key else None)
    if url and key:
        return url, key
    if url:
        # The profile's key is only for the profile's server: another one must not get to see it.
        raise SetupError(f"No key is known for {url}; give key=, or set WORKLETS_KEY.")
    profile = read_profile(settings.data)
    return profile.url, key or profile.key


def deploy(
    model: Any,
    name: str,
    *,
    version: str | None = None,
    sample_input: Any = None,
    requirements: Iterable[str] | None = None,
    isolate: bool = False,
    metadata: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    timeout: float | None = None,
    max_concurrency: int | None = None,
    batch: Literal["auto"] | bool | Mapping[str, Any] = "auto",
    monitor: bool | Mapping[str, Any] | None = None,
    reference: Any = None,
    files: Iterable[str | Path] = (),
    description: str = "",
    tier: str = "auto",
    live: bool = True,
    client: Client | None = None,
) -> Model:
    """Pack a model, send it to the running server, and wait until it answers. See `Client.deploy`."""
    return (client or Client()).deploy(
        model,
        name,
        version=version,
        sample_input=sample_input,
        requirements=requirements,
        isolate=isolate,
        metadata=metadata,
        labels=labels,
        timeout=timeout,
        max_concurrency=max_concurrency,
        batch=batch,
        monitor=monitor,
        reference=reference,
        files=files,
        description=description,
        tier=tier,
        live=live,
    )


class Zoo:
    """The zoo of the running server, for `pw.zoo.deploy("style-transfer")`."""

    def deploy(self, entry: str, *, name: str | None = None, tier: str = "auto", client: Client | None = None) -> Model:
        """Deploy an entry and wait until it is live. Raises NotFound, SetupError."""
        return (client or Client()).zoo.deploy(entry, name=name, tier=tier)

    def list(self, *, client: Client | None = None) -> list[dict[str, Any]]:
        """Every entry: name, title, description, credit."""
        return (client or Client()).zoo.list()


zoo = Zoo()
