"""The processes of one instance: their commands, environments and probes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from .bentos import telemetry
from .children import ChildSpec, Probe
from .ports import bind_next, port_of
from .settings import Settings

PREFECT_PORT = 4200
_PROBE_SECONDS = 2.0
# Requests come first: on two processors, recording at full weight halves the requests answered in a second.
_BACKGROUND = 10
# A page's websocket message, which uvicorn would otherwise refuse over 16 MB before the proxy sees it.
_LARGEST_MESSAGE = 64 << 20


@dataclass(frozen=True)
class Instance:
    """One start of the whole: where everything listens, and the secret that its processes share.

    Args:
        settings: with the host and port that were settled on.
        internal_key: random for each start.
        app_socket: what the app listens on. The supervisor keeps it, so that no other program takes the port, and
            whoever connects while the app is started again waits instead of being refused.
        prefect_socket: the same for the embedded Prefect; None where `prefect_api` names another server.
        views_ports: where each of the views processes listens, on 127.0.0.1.
        prefect_api: the address of Prefect's API.
    """

    settings: Settings
    internal_key: str
    app_socket: socket.socket
    prefect_socket: socket.socket | None
    views_ports: Sequence[int]
    prefect_api: str
    project: Path | None = None
    demo: bool = False

    @property
    def api_url(self) -> str:
        """The app's address for the other processes."""
        return _local_url(self.settings.host, self.settings.port)

    @property
    def prefect_ui(self) -> str:
        """Prefect's pages."""
        return self.prefect_api.removesuffix("/api")

    def specs(self) -> list[ChildSpec]:
        """What to run, in the order in which it starts; it stops in the reverse."""
        made = [] if self.prefect_socket is None else [self._prefect(self.prefect_socket)]
        views = [self._views(number, port) for number, port in enumerate(self.views_ports)]
        return [*made, self._host(), self._app(), *views, self._recorder(), self._worker()]

    def _shared(self) -> dict[str, str]:
        # The store's address may hold a password: it goes by the environment, never by the command line.
        data = self.settings.data
        return {
            "WORKLETS_DATA_DIR": str(data.root),
            "WORKLETS_DATABASE_URL": self.settings.store_url,
            "WORKLETS_INTERNAL_KEY": self.internal_key,
            "BENTOML_HOME": str(data.bentoml),
            "BENTOML_DO_NOT_TRACK": "true",
            "PREFECT_HOME": str(data.prefect),
            "PREFECT_API_URL": self.prefect_api,
            "DO_NOT_TRACK": "1",
            **telemetry.OFF,
            "PYTHONUNBUFFERED": "1",
            # A process that crashes, or is ended because it hangs, says where its threads were.
            "PYTHONFAULTHANDLER": "1",
        }

    def _prefect(self, listening: socket.socket) -> ChildSpec:
        home = self.settings.data.prefect
        command = _python("uvicorn", "--factory", "prefect.server.api.server:create_app", "--fd")
        command += [str(listening.fileno()), "--log-level", "warning", "--no-access-log", "--timeout-keep-alive", "30"]
        return ChildSpec(
            "prefect",
            command,
            {
                "PREFECT_HOME": str(home),
                "PREFECT_API_DATABASE_CONNECTION_URL": self.settings.prefect_store_url,
                "PREFECT_UI_API_URL": self.prefect_api,
                # Prefect would write its pages, with the address in them, into its own installation.
                "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "PREFECT_LOGGING_LEVEL": "WARNING",
                "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
                "DO_NOT_TRACK": "1",
                # With Prefect's own small batches it stores fewer node runs than 20 runs a second bring.
                "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
                "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
                "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "500",
                "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "2",
            },
            http_probe(f"{self.prefect_api}/health"),
            listening=listening,
            niceness=_BACKGROUND,
        )

    def _host(self) -> ChildSpec:
        path = self.settings.data.socket("host")
        command = _python("prefect_worklets.bentos.host", "--data", str(self.settings.data.root))
        memory = self.settings.model_memory
        command += ["--socket", str(path), *(["--memory", str(memory)] if memory is not None else [])]
        # What ends it is a model, which is then moved out of it; the others' calls wait for it meanwhile.
        return ChildSpec("host", command, self._shared(), unix_probe(path, self.internal_key), stable_seconds=1.0)

    def _app(self) -> ChildSpec:
        settings = self.settings
        environment = {
            **self._shared(),
            "WORKLETS_HOST": settings.host,
            "WORKLETS_PORT": str(settings.port),
            "WORKLETS_ORIGIN": settings.public_origin,
            "WORKLETS_VIEWS_URL": ",".join(f"http://127.0.0.1:{port}" for port in self.views_ports),
            "WORKLETS_PREFECT_UI_URL": settings.prefect_ui_url or self.prefect_ui,
            "WORKLETS_DEMO": "true" if self.demo else "false",
        }
        if self.project is not None:
            environment["WORKLETS_PROJECT"] = str(self.project)
        command = _python("uvicorn", "--factory", "prefect_worklets.app:create_app", "--fd")
        command += [str(self.app_socket.fileno()), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        command += ["--log-level", "warning", "--timeout-graceful-shutdown", "8", "--no-server-header"]
        command += ["--ws-max-size", str(_LARGEST_MESSAGE)]
        probe = http_probe(f"{self.api_url}/api/ready")
        alive = http_probe(f"{self.api_url}/api/health")
        return ChildSpec(
            "app", command, environment, probe, alive, settings.hung_seconds, stop_seconds=12.0,
            listening=self.app_socket,
        )  # fmt: skip

    def _views(self, number: int, port: int) -> ChildSpec:
        settings = self.settings
        command = _python("prefect_worklets.panel_views.server", "--data", str(settings.data.root))
        command += ["--port", str(port), "--api", self.api_url, "--number", str(number)]
        for origin in sorted({settings.public_origin, self.api_url, _localhost(self.api_url)}):
            command += ["--origin", origin]
        for allowed in settings.allow_private:
            command += ["--allow-private", allowed]
        command += [f"--http-host={host}" for host in settings.http_hosts]
        command += [f"--frame-origin={origin}" for origin in settings.frame_origins]
        command += ["--brand-name", settings.brand_name, "--brand-colour", settings.brand_colour]
        if settings.brand_logo is not None:
            command += ["--brand-logo", str(settings.brand_logo)]
        name = "views" if number == 0 else f"views-{number + 1}"
        probe = http_probe(f"http://127.0.0.1:{port}/views/-/health")
        return ChildSpec(name, command, self._shared(), probe, probe, settings.hung_seconds)

    def _recorder(self) -> ChildSpec:
        command = _python("prefect_worklets.flows.record_process", "--data", str(self.settings.data.root))
        command += ["--prefect-api-url", self.prefect_api, "--public-url", self.settings.public_origin]
        return ChildSpec("recorder", command, self._shared(), niceness=_BACKGROUND)

    def _worker(self) -> ChildSpec:
        settings = self.settings
        command = _python("prefect_worklets.worker_process", "--data", str(settings.data.root))
        command += ["--name", f"worklets-{socket.gethostname()}-{settings.port}"]
        # Each line of Prefect's own about a flow run would be a request more.
        environment = {**self._shared(), "PREFECT_LOGGING_LEVEL": "WARNING", "PREFECT_LOGGING_COLORS": "false"}
        return ChildSpec("worker", command, environment, niceness=_BACKGROUND)


def choose_prefect(settings: Settings) -> tuple[socket.socket | None, str]:
    """The embedded Prefect's socket and its API's address; no socket where PREFECT_API_URL names a server."""
    if settings.prefect_api_url:
        return None, settings.prefect_api_url.rstrip("/")
    listening = bind_next("127.0.0.1", PREFECT_PORT)
    return listening, f"http://127.0.0.1:{port_of(listening)}/api"


def http_probe(url: str) -> Probe:
    """Whether the address answers 2xx."""
    return _probe(None, url)


def unix_probe(path: Path, key: str) -> Probe:
    """Whether a server on the Unix socket answers its health route to who holds the key."""
    return _probe(path, "http://host/health", {"authorization": f"Bearer {key}"})


def _probe(path: Path | None, url: str, headers: dict[str, str] | None = None) -> Probe:
    async def probe() -> bool:
        # Without TLS there is nothing to verify, and reading all certificates would take most of a probe's time.
        transport = httpx.AsyncHTTPTransport(uds=str(path) if path is not None else None, verify=False)
        try:
            async with httpx.AsyncClient(transport=transport, timeout=_PROBE_SECONDS, trust_env=False) as client:
                return (await client.get(url, headers=headers)).is_success
        except (httpx.HTTPError, OSError):
            return False

    return probe


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _local_url(host: str, port: int) -> str:
    if host in ("0.0.0.0", "", "::"):  # noqa: S104 - it is only compared
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _localhost(url: str) -> str:
    return url.replace("//127.0.0.1:", "//localhost:")
