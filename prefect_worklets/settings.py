"""Settings: environment variables with the prefix `WORKLETS_`, each with a default that works."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from .connectors.errors import SetupError
from .connectors.layout import DataDirectory
from .panel_views.branding import Brand

DEFAULT_PORT = 8700


class Settings(BaseSettings):
    """What can be set from outside; `Settings()` reads the environment."""

    model_config = SettingsConfigDict(env_prefix="WORKLETS_", extra="ignore", populate_by_name=True)

    data_dir: Path = Field(
        default_factory=lambda: user_data_path("worklets"),
        description="The data directory. All state lies in it, Prefect's too; nothing is written outside it.",
    )
    database_url: str | None = Field(
        default=None,
        description="The store: `postgresql://user@host/name`, or `sqlite:///path`. "
        "By default SQLite in the data directory.",
    )
    host: str = Field(default="127.0.0.1", description="The address that the HTTP app listens on.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65535, description="The port of the HTTP app.")
    origin: str | None = Field(
        default=None,
        description="The address under which people reach the app, if a proxy stands before it: `https://host`.",
    )
    url: str | None = Field(default=None, description="For clients: the server's address, instead of the profile's.")
    key: SecretStr | None = Field(default=None, description="For clients: the API key, instead of the profile's.")
    max_body: int = Field(
        default=20_000_000, ge=1_000, description="The largest body of a request, in bytes; a larger one is a 413."
    )
    max_file: int = Field(default=50_000_000, ge=1_000, description="The largest uploaded file, in bytes.")
    timeout: float = Field(
        default=300, gt=0, description="Seconds that a run may take whose worklet sets no timeout of its own."
    )
    runs_at_once: int = Field(default=16, ge=1, le=1024, description="Submitted runs that may be under way at once.")
    catch_up: bool = Field(
        default=True,
        description="Run a schedule once whose time passed while nothing ran; with false, wait for its next time.",
    )
    threads: int = Field(default=32, ge=1, le=512, description="Threads for code nodes that are not quick.")
    allow_private: list[str] = Field(
        default_factory=list,
        description="Private networks (`10.0.0.0/8`) or `host:port` that URLs from users may lead to, as a JSON list. "
        "By default none.",
    )
    http_hosts: list[str] = Field(
        default_factory=list,
        description="The only hosts that `pw.http` may reach (`api.example.com`, `*.example.com`, `host:port`), as a "
        "JSON list. By default all.",
    )
    frame_origins: list[str] = Field(
        default_factory=list,
        description="The sites that views may show in a frame (`https://grafana.example.com`, `https://*.example.com`, "
        "`http://host:port`), as a JSON list. By default only this server's own address.",
    )
    idle_seconds: float = Field(
        default=900,
        gt=0,
        description="A model with an environment of its own gives up its process after so long without a call; the "
        "next call starts it again.",
    )
    model_load_seconds: float = Field(
        default=300, gt=0, description="Seconds that a model may take to load; after that its version has failed."
    )
    model_memory: int | None = Field(
        default=None,
        ge=200_000_000,
        description="Bytes that one process of models (the shared host, or that of one model) may allocate; more is a "
        "`MemoryError` in the model. By default no limit.",
    )
    hung_seconds: float = Field(
        default=60,
        ge=5,
        description="The app, or a process of the views, that has not answered for so long is ended and started again; "
        "its log says where its code was.",
    )
    open_metrics: bool = Field(
        default=False, description="Let anybody who reaches the address read `/metrics`, without a key."
    )
    zoo_mirror: Path | None = Field(
        default=None,
        description="A folder with the wheels or files of zoo models, for machines that reach no package registry.",
    )
    secrets_key: SecretStr | None = Field(
        default=None,
        description="What secrets are encrypted with: a Fernet key, or several with commas between, of which the first "
        "encrypts. By default a key made from `secret.key` of the data directory.",
    )
    internal_key: SecretStr | None = Field(
        default=None, description="Set by `worklets up` for its own processes; not for people."
    )
    view_processes: int = Field(
        default=1, ge=1, le=64, description="Processes that show views. A page stays in the one that it was opened in."
    )
    views_url: str | None = Field(
        default=None, description="Set by `worklets up`: where the views processes listen, with commas between."
    )
    prefect_api_url: str | None = Field(
        default=None,
        validation_alias="PREFECT_API_URL",
        description="Prefect's own setting: the address of its API. By default `worklets up` starts a Prefect server.",
    )
    prefect_database_url: str | None = Field(
        default=None,
        description="Where the Prefect server that `worklets up` starts keeps its data: `postgresql://user@host/name`. "
        "By default SQLite in the data directory.",
    )
    prefect_ui_url: str | None = Field(
        default=None, description="The address of Prefect's pages for the console's links; `worklets up` finds it."
    )
    project: Path | None = Field(
        default=None, description="A project directory that is pushed at the start and after every change in it."
    )
    brand_name: str = Field(default="", description="The name on every page, instead of ours.")
    brand_colour: str = Field(
        default="",
        description="The colour of buttons and links, as `#1f6f6b`; it is made readable on light and on dark pages. "
        "A view may have its own.",
    )
    brand_logo: Path | None = Field(default=None, description="The logo on every page: an SVG, PNG, JPEG or WebP file.")
    dask_address: str | None = Field(
        default=None,
        description='The Dask scheduler for maps with `runner="dask"`: `tcp://host:8786`. By default the first of them '
        "starts a Dask cluster on this machine.",
    )
    dask_workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Processes of that Dask cluster on this machine. By default one a core.",
    )
    demo: bool = Field(default=False, description="Deploy the demo's model, worklet and view at the start.")

    @property
    def data(self) -> DataDirectory:
        """The layout of the data directory."""
        return DataDirectory(self.data_dir.expanduser().resolve())

    @property
    def brand(self) -> Brand:
        """Name, colour and logo of every page. Raises SetupError."""
        return Brand.read(self.brand_name, self.brand_colour, self.brand_logo)

    @property
    def store_url(self) -> str:
        """The store's address: the one set, or SQLite in the data directory."""
        return self.database_url or self.data.database_url

    @property
    def prefect_store_url(self) -> str:
        """The database of the embedded Prefect, with the driver that Prefect takes. Raises SetupError."""
        if not self.prefect_database_url:
            return f"sqlite+aiosqlite:///{self.data.prefect / 'prefect.db'}"
        from sqlalchemy.engine import make_url  # half a second, which no command line needs
        from sqlalchemy.exc import ArgumentError

        drivers = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
        try:
            url = make_url(self.prefect_database_url)
            driver = drivers[url.get_backend_name()]
        except (ArgumentError, KeyError):
            raise SetupError(
                "WORKLETS_PREFECT_DATABASE_URL is no address of a database that Prefect takes; "
                "write it as `postgresql://user@host/name`."
            ) from None
        return url.set(drivername=driver).render_as_string(hide_password=False)

    @property
    def public_origin(self) -> str:
        """The address under which people reach the app."""
        if self.origin:
            return self.origin.rstrip("/")
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - it is only compared
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
