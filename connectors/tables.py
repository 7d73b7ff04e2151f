"""The store's tables: one class a noun of the design. Changes here need a migration (see migrations/)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """A time with its zone: SQLite forgets it, so that it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as UTC. Raises ValueError for a time without its zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; use connectors.tables.now() or datetime.now(UTC).")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


def moment(at_us: int) -> datetime:
    """A time in microseconds since 1970, with its zone."""
    return datetime.fromtimestamp(at_us / 1e6, UTC)


def new_id() -> str:
    """A random identifier of 32 hexadecimal digits."""
    return uuid4().hex


def _time(**options: Any) -> Any:
    return Field(sa_type=UtcDateTime, **options)


# Apart from `SQLModel.metadata`: a user's own SQLModel classes may be called Run or Model in the same process.
METADATA = MetaData(
    naming_convention={  # SQLite changes a constraint by its name only
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class StoreTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of the store's tables."""

    metadata = METADATA


class User(StoreTable, table=True):
    """Somebody who may sign in."""

    __tablename__ = "user_account"  # `user` is a reserved word of PostgreSQL
    id: str = Field(default_factory=new_id, primary_key=True)
    name: str = Field(unique=True, index=True)
    role: str = "viewer"
    disabled: bool = False
    created_at: datetime = _time(default_factory=now)


class LoginSession(StoreTable, table=True):
    """A signed-in browser. Only the hash of the cookie is stored."""

    __tablename__ = "login_session"
    token_hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", ondelete="CASCADE", index=True)
    created_at: datetime = _time(default_factory=now)
    expires_at: datetime = _time()


class Password(StoreTable, table=True):
    """A user's password, as argon2id keeps it. A user may have none: links sign them in all the same."""

    __tablename__ = "password"
    user_id: str = Field(primary_key=True, foreign_key="user_account.id", ondelete="CASCADE")
    hash: str
    changed_at: datetime = _time(default_factory=now)


class SignInFailures(StoreTable, table=True):
    """How often signing in by password has failed of late, for one user or one address (`of`)."""

    __tablename__ = "sign_in_failures"
    of: str = Field(primary_key=True)
    count: int = 0
    last_at: datetime = _time(default_factory=now)


class LoginLink(StoreTable, table=True):
    """A link that signs its user in once, or lets them set a password. Only the hash of the token is stored."""

    __tablename__ = "login_link"
    token_hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", ondelete="CASCADE")
    # login or password
    purpose: str = Field(default="login", sa_column_kwargs={"server_default": "login"})
    expires_at: datetime = _time()
    used_at: datetime | None = _time(default=None)


class ApiKey(StoreTable, table=True):
    """A key for programs. Only its hash is stored."""

    __tablename__ = "api_key"
    id: str = Field(default_factory=new_id, primary_key=True)
    name: str = Field(unique=True)
    key_hash: str = Field(unique=True, index=True)
    role: str = "operator"
    # What alone it may reach: `worklet:NAME` and `model:NAME`. Null is all that the role may.
    scopes: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    created_by: str | None = None
    created_at: datetime = _time(default_factory=now)
    expires_at: datetime | None = _time(default=None)
    revoked_at: datetime | None = _time(default=None)


class Secret(StoreTable, table=True):
    """A secret of worklets, encrypted (see connectors/secrets.py)."""

    __tablename__ = "secret"
    name: str = Field(primary_key=True)
    encrypted: bytes = Field(sa_type=LargeBinary)
    set_by: str | None = None
    set_at: datetime = _time(default_factory=now)


class Model(StoreTable, table=True):
    """A named model; `live_version` says which of its versions answers."""

    __tablename__ = "model"
    name: str = Field(primary_key=True)
    description: str = ""
    labels: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    # The column `metadata`, a name that SQLModel keeps for itself.
    facts: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column("metadata", JSON, nullable=False, server_default="{}")
    )
    # What is kept of its requests (bentos.monitoring.MonitorRule); null is as usual.
    monitor: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    live_version: str | None = None
    # Counts pointer swaps, so that several HTTP processes can acknowledge one.
    generation: int = 0
    # How its requests are shared out among versions (bentos/traffic.py); null where the live one has them all.
    traffic: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    created_at: datetime = _time(default_factory=now)
    updated_at: datetime = _time(default_factory=now)


class ShadowDifference(StoreTable, table=True):
    """A request that a model's shadow answered otherwise than its live version, or failed."""

    __tablename__ = "shadow_difference"
    id: str = Field(default_factory=new_id, primary_key=True)
    model_name: str = Field(foreign_key="model.name", ondelete="CASCADE", index=True)
    live_version: str
    shadow_version: str
    # different or failed
    kind: str
    detail: str = ""
    # As JSON; null where it is none or too large.
    input: Any = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    expected: Any = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    found: Any = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    created_at: datetime = _time(default_factory=now)


class ModelVersion(StoreTable, table=True):
    """One immutable package of a model, in the BentoML store under `bento_tag`."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("model_name", "version"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    model_name: str = Field(foreign_key="model.name", ondelete="CASCADE", index=True)
    version: str
    bento_tag: str
    # packaged, starting, probed, live, draining, warm, stopped or failed
    status: str = "packaged"
    # in-process, shared-host, isolated or own-environment, and why
    tier: str = ""
    tier_reason: str = ""
    manifest: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    content_hash: str = ""
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    error: str | None = None
    created_by: str | None = None
    created_at: datetime = _time(default_factory=now)


class ModelSample(StoreTable, table=True):
    """What a model was asked once, and what it answered; values marked sensitive are not in it."""

    __tablename__ = "model_sample"
    __table_args__ = (Index("model_sample_by_model", "model_name", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    model_name: str = Field(foreign_key="model.name", ondelete="CASCADE")
    version: str
    at: datetime = _time()
    seconds: float = 0.0
    inputs: Any = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    outputs: Any = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class Project(StoreTable, table=True):
    """One pushed source tree, by content hash; its files lie below `projects/`."""

    __tablename__ = "project"
    content_hash: str = Field(primary_key=True)
    name: str = Field(index=True)
    created_by: str | None = None
    created_at: datetime = _time(default_factory=now)


class Worklet(StoreTable, table=True):
    """A named worklet; `live_version` numbers the version that answers."""

    __tablename__ = "worklet"
    name: str = Field(primary_key=True)
    project: str = Field(default="", index=True)
    description: str = ""
    live_version: int | None = None
    generation: int = 0
    created_at: datetime = _time(default_factory=now)
    updated_at: datetime = _time(default_factory=now)


class WorkletVersion(StoreTable, table=True):
    """One immutable version of a worklet: its source tree and its graph."""

    __tablename__ = "worklet_version"
    __table_args__ = (UniqueConstraint("worklet_name", "number"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    worklet_name: str = Field(foreign_key="worklet.name", ondelete="CASCADE", index=True)
    number: int
    project_hash: str = Field(foreign_key="project.content_hash")
    graph: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    # Pushed to be tried by its number; it has not answered for the worklet yet.
    draft: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_by: str | None = None
    created_at: datetime = _time(default_factory=now)


class Run(StoreTable, table=True):
    """One run of a worklet. Times are microseconds since 1970; `input` and `output` are JSON as sent."""

    __tablename__ = "run"
    __table_args__ = (
        Index("run_by_worklet", "worklet", "started_us"),
        Index("run_by_principal", "principal", "worklet", "started_us"),
        Index("run_by_state", "state", "started_us"),
        Index("run_to_record", "recorded_us", "started_us"),
        Index("run_by_parent", "parent"),
    )
    id: str = Field(primary_key=True)
    worklet: str
    version: int = 0
    trigger: str = "api"
    principal: str | None = None
    # completed, failed, timed-out or cancelled
    state: str
    started_us: int = Field(sa_type=BigInteger, index=True)
    duration_us: int = Field(sa_type=BigInteger)
    input: bytes | None = Field(default=None, sa_type=LargeBinary)
    output: bytes | None = Field(default=None, sa_type=LargeBinary)
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    # [[node, kind, state, start offset µs, duration µs, error or null], ...]
    nodes: list[list[Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    # The run whose call node started this one.
    parent: str | None = None
    # When Prefect had it; null while it waits in the outbox.
    recorded_us: int | None = Field(default=None, sa_type=BigInteger)


class RunDetails(StoreTable, table=True):
    """What is kept of a run's nodes for people, as JSON by node; of the newest runs that have any."""

    __tablename__ = "run_details"
    run_id: str = Field(primary_key=True)
    started_us: int = Field(sa_type=BigInteger, index=True)
    content: bytes = Field(sa_type=LargeBinary)


class SubmittedRun(StoreTable, table=True):
    """A run that was accepted to be done later. It is held by the process that does it, for as long as it says so."""

    __tablename__ = "submitted_run"
    __table_args__ = (Index("submitted_run_by_state", "state", "lease_until_us", "created_us"),)
    id: str = Field(primary_key=True)
    worklet: str
    version: int
    # run, cron, retry, replay or prefect
    trigger: str = "run"
    # The flow run that Prefect started, as 32 hexadecimal digits. Retried there, it has several of these.
    flow_run_id: str | None = Field(default=None, index=True)
    # Who submitted it: id, name, role and scopes.
    principal: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    input: bytes = Field(default=b"", sa_type=LargeBinary)
    # queued, running, waiting (for a person), paused, completed, failed, timed-out or cancelled
    state: str = "queued"
    attempts: int = 0
    holder: str | None = None
    # Whoever finds it later than this (microseconds since 1970) may take it over.
    lease_until_us: int = Field(default=0, sa_type=BigInteger)
    cancel_asked: bool = False
    # To be paused once the nodes that are under way have ended.
    pause_asked: bool = False
    retry_of: str | None = None
    idempotency_key: str | None = Field(default=None, unique=True)
    created_us: int = Field(default=0, sa_type=BigInteger)
    started_us: int | None = Field(default=None, sa_type=BigInteger)
    ended_us: int | None = Field(default=None, sa_type=BigInteger)


class Review(StoreTable, table=True):
    """What a run asks people, and what was decided. Times are microseconds since 1970; `value` is JSON."""

    __tablename__ = "review"
    __table_args__ = (
        Index("review_by_state", "state", "due_us"),
        Index("review_by_run", "run_id"),
        Index("review_by_root", "root_run"),
    )
    id: str = Field(primary_key=True)
    run_id: str
    # The submitted run, which called the one that asks if it is another.
    root_run: str
    worklet: str
    version: int
    node: str
    title: str = ""
    # Who may decide: this role and those above.
    role: str = "operator"
    value: bytes = Field(default=b"", sa_type=LargeBinary)
    # JSON schema of the decision
    schema_: dict[str, Any] = Field(default_factory=dict, sa_column=Column("schema", JSON, nullable=False))
    asked_by: str | None = None
    # open, decided, expired or withdrawn (the run has ended)
    state: str = "open"
    # "fail", or {"value": the decision}
    on_due: Any = Field(default="fail", sa_column=Column(JSON, nullable=False))
    due_us: int | None = Field(default=None, sa_type=BigInteger)
    created_us: int = Field(default=0, sa_type=BigInteger)
    decision: Any = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    decided_us: int | None = Field(default=None, sa_type=BigInteger)
    decided_by: str | None = None
    decided_name: str = ""


class Callback(StoreTable, table=True):
    """Who is told of the end of a submitted run (microseconds since 1970)."""

    __tablename__ = "callback"
    __table_args__ = (Index("callback_by_time", "state", "next_us"),)
    run_id: str = Field(primary_key=True)
    url: str
    # waiting, delivered or given-up
    state: str = "waiting"
    attempts: int = 0
    next_us: int = Field(default=0, sa_type=BigInteger)
    ended_us: int | None = Field(default=None, sa_type=BigInteger)
    # Why the last attempt failed.
    error: str | None = None


class Schedule(StoreTable, table=True):
    """A time trigger of a live worklet, and when it is due next (microseconds since 1970)."""

    __tablename__ = "schedule"
    worklet: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    cron: str
    timezone: str = "UTC"
    inputs: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    paused: bool = False
    due_us: int | None = Field(default=None, sa_type=BigInteger)
    last_us: int | None = Field(default=None, sa_type=BigInteger)


class JournalPosition(StoreTable, table=True):
    """How far a journal file has been taken into the run table; written in the rows' own transaction."""

    __tablename__ = "journal_position"
    journal: str = Field(primary_key=True)
    offset: int = Field(default=0, sa_type=BigInteger)


class TableRow(StoreTable, table=True):
    """A row that a `save` node wrote into the named table. A run writes each of its rows once."""

    __tablename__ = "table_row"
    __table_args__ = (
        UniqueConstraint("run_id", "node", "position"),
        Index("table_row_by_key", "table_name", "key", unique=True),
        Index("table_row_by_owner", "table_name", "owner", "created_at"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    table_name: str = Field(index=True)
    run_id: str
    node: str
    position: int = 0
    owner: str | None = None
    # The values of the fields that name the row, as JSON; null where rows are only added.
    key: str | None = None
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = _time(default_factory=now)


class TableMark(StoreTable, table=True):
    """That rows of a table were saved, by whom last; written with the rows, so that who sees it sees them.

    A table has a few marks, so that those who save at the same time do not wait for one another.
    """

    __tablename__ = "table_mark"
    table_name: str = Field(primary_key=True)
    slot: int = Field(default=0, primary_key=True)
    writer: str
    saved_at: datetime = _time(default_factory=now)


class StoredFile(StoreTable, table=True):
    """A file in the file store; the id is unguessable, the content lies under its hash."""

    __tablename__ = "stored_file"
    id: str = Field(default_factory=new_id, primary_key=True)
    owner: str | None = Field(default=None, index=True)
    name: str = ""
    content_type: str = "application/octet-stream"
    size: int = Field(default=0, sa_type=BigInteger)
    sha256: str = Field(index=True)
    created_at: datetime = _time(default_factory=now)


class View(StoreTable, table=True):
    """A named view; `published` numbers the version that people see."""

    __tablename__ = "view"
    slug: str = Field(primary_key=True)
    title: str = ""
    published: int | None = None
    created_at: datetime = _time(default_factory=now)
    updated_at: datetime = _time(default_factory=now)


class ViewVersion(StoreTable, table=True):
    """One version of a view's document."""

    __tablename__ = "view_version"
    __table_args__ = (UniqueConstraint("view_slug", "number"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    view_slug: str = Field(foreign_key="view.slug", ondelete="CASCADE", index=True)
    number: int
    document: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    # project (a push), builder or api
    source: str = "api"
    note: str = ""
    created_by: str | None = None
    created_by_name: str = ""
    created_at: datetime = _time(default_factory=now)


class ViewComponent(StoreTable, table=True):
    """One version of a component that an author wrote. `hash` is the script's, and its address."""

    __tablename__ = "view_component"
    __table_args__ = (UniqueConstraint("name", "number"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    name: str
    number: int
    hash: str = Field(index=True)
    # Name, title, and the properties' JSON schema.
    definition: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    script: str = Field(sa_column=Column(Text, nullable=False))
    created_by: str | None = None
    created_by_name: str = ""
    created_at: datetime = _time(default_factory=now)


class ViewDraft(StoreTable, table=True):
    """What is being made of a view. Each change counts `revision` up; `base` is the version that it began from."""

    __tablename__ = "view_draft"
    view_slug: str = Field(primary_key=True, foreign_key="view.slug", ondelete="CASCADE")
    revision: int = 0
    base: int | None = None
    document: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    updated_by: str | None = None
    updated_by_name: str = ""
    updated_at: datetime = _time(default_factory=now)


class ViewChange(StoreTable, table=True):
    """One change to a draft: who made it, and what; the newest ones are kept."""

    __tablename__ = "view_change"
    view_slug: str = Field(primary_key=True, foreign_key="view.slug", ondelete="CASCADE")
    revision: int = Field(primary_key=True)
    operations: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    summary: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    client: str = ""
    created_by: str | None = None
    created_by_name: str = ""
    created_at: datetime = _time(default_factory=now)


class ViewEditor(StoreTable, table=True):
    """Somebody who has a view open in the builder, by the browser tab; a tab that is silent is gone."""

    __tablename__ = "view_editor"
    view_slug: str = Field(primary_key=True, foreign_key="view.slug", ondelete="CASCADE")
    client: str = Field(primary_key=True)
    user_id: str
    name: str
    selected: str = ""
    seen_at: datetime = _time(default_factory=now)


class Share(StoreTable, table=True):
    """A link by which anyone may use a view. Its token is signed and not stored."""

    __tablename__ = "share"
    id: str = Field(primary_key=True)
    view_slug: str = Field(foreign_key="view.slug", ondelete="CASCADE", index=True)
    label: str = ""
    password_hash: str | None = None
    created_by: str | None = None
    created_at: datetime = _time(default_factory=now)
    expires_at: datetime | None = _time(default=None)
    revoked_at: datetime | None = _time(default=None)


class ViewState(StoreTable, table=True):
    """A persistent value of a view: of one user (`owner` is set) or of the view (`owner` is empty)."""

    __tablename__ = "view_state"
    view_slug: str = Field(primary_key=True)
    owner: str = Field(default="", primary_key=True)
    key: str = Field(primary_key=True)
    value: Any = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    updated_at: datetime = _time(default_factory=now)
