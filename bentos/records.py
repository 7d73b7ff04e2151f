"""Models and their versions in the store. Blocking; call from a thread."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from ..connectors.errors import Conflict, NotFound
from ..connectors.store import Store
from ..connectors.tables import Model, ModelVersion, now
from .manifest import Manifest, next_version
from .router import unknown_model

# States in which a version is on its way; a restart finds them without the process that was on it.
_UNFINISHED = ("packaged", "starting", "probed")
_LOADED = ("draining", "warm")


class ModelRecords:
    """Reads and writes the tables `model` and `model_version`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- reading --------------------------------------------------------------------------------------

    def models(self) -> list[Model]:
        """Every model, by name."""
        with self._store.read() as session:
            return list(session.exec(select(Model).order_by(Model.name)))

    def model(self, name: str) -> Model:
        """One model. Raises NotFound."""
        with self._store.read() as session:
            return _model(session, name)

    def versions(self, name: str) -> list[ModelVersion]:
        """The versions of a model, newest first. Raises NotFound."""
        with self._store.read() as session:
            _model(session, name)
            return _versions(session, name)

    def version(self, name: str, version: str) -> ModelVersion:
        """One version. Raises NotFound."""
        with self._store.read() as session:
            return _version(session, name, version)

    def live(self, name: str) -> ModelVersion:
        """The live version of a model. Raises NotFound."""
        with self._store.read() as session:
            model = _model(session, name)
            if model.live_version is None:
                raise NotFound(f"The model {name} has no live version; promote one with `worklets models promote`.")
            return _version(session, name, model.live_version)

    def all_live(self) -> list[ModelVersion]:
        """The live version of every model that has one."""
        with self._store.read() as session:
            joined = select(ModelVersion).join(Model, col(ModelVersion.model_name) == col(Model.name))
            return list(session.exec(joined.where(col(ModelVersion.version) == col(Model.live_version))))

    def next_version(self, name: str) -> str:
        """The version that a package without one gets."""
        with self._store.read() as session:
            return next_version(row.version for row in _versions(session, name))

    def same_content(self, name: str, content_hash: str) -> ModelVersion | None:
        """The newest version with this content that has not failed."""
        with self._store.read() as session:
            found = [row for row in _versions(session, name) if row.content_hash == content_hash]
        return next((row for row in found if row.status != "failed"), None)

    def before_live(self, name: str) -> ModelVersion:
        """The version to roll back to: the one kept warm, else the newest one older than the live one.

        Raises:
            NotFound: no such model. Conflict: there is no version to go back to.
        """
        with self._store.read() as session:
            model = _model(session, name)
            rows = [row for row in _versions(session, name) if row.status != "failed"]
        live = next((row for row in rows if row.version == model.live_version), None)
        others = [row for row in rows if row is not live]
        warm = [row for row in others if row.status in _LOADED]
        older = [row for row in others if live is None or row.created_at < live.created_at]
        if not (warm or older):
            raise Conflict(f"The model {name} has no earlier version to go back to.")
        return (warm or older)[0]

    # --- writing --------------------------------------------------------------------------------------

    def add_version(self, manifest: Manifest, version: str, tag: str, created_by: str | None) -> ModelVersion:
        """Note a saved package; the model is made with its first version. Raises Conflict if the version exists."""
        row = ModelVersion(
            model_name=manifest.name,
            version=version,
            bento_tag=tag,
            manifest=manifest.model_dump(mode="json"),
            content_hash=manifest.content_hash,
            size_bytes=manifest.size_bytes,
            created_by=created_by,
        )
        try:
            with self._store.session() as session:
                if session.get(Model, manifest.name) is None:
                    session.add(
                        Model(name=manifest.name, description=manifest.description, labels=dict(manifest.labels))
                    )
                    session.flush()
                if manifest.monitor is not None:
                    _model(session, manifest.name).monitor = manifest.monitor.model_dump(mode="json")
                session.add(row)
        except IntegrityError:
            raise _exists(manifest.name, version) from None
        return row

    def check_new(self, name: str, version: str) -> None:
        """Raise Conflict if the version exists."""
        with self._store.read() as session:
            chosen = select(ModelVersion.id).where(ModelVersion.model_name == name, ModelVersion.version == version)
            if session.exec(chosen).first() is not None:
                raise _exists(name, version)

    def update_version(self, row_id: str, **changes: Any) -> ModelVersion:
        """Change columns of a version. Raises NotFound if it was deleted meanwhile."""
        with self._store.session() as session:
            row = session.get(ModelVersion, row_id)
            if row is None:
                raise NotFound("The version was deleted meanwhile.")
            for column, value in changes.items():
                setattr(row, column, value)
            session.add(row)
            return row

    def drained(self, name: str, version: str) -> None:
        """Mark a version warm, unless it has become live again while it drained."""
        with self._store.session() as session:
            for row in _versions(session, name):
                if row.version == version and row.status == "draining":
                    row.status = "warm"
                    session.add(row)

    def set_live(self, name: str, version: str) -> int:
        """Point the model at a version and mark it live; returns the new generation. Raises NotFound."""
        with self._store.session() as session:
            model = session.get(Model, name, with_for_update=True)
            if model is None:
                raise NotFound(unknown_model(name, []))
            for row in _versions(session, name):
                if row.version == version:
                    row.status, row.error = "live", None
                elif row.status == "live":
                    row.status = "draining"
                session.add(row)
            if model.live_version != version:
                model.traffic = None
            model.live_version = version
            model.generation += 1
            model.updated_at = now()
            session.add(model)
            return model.generation

    def update_model(self, name: str, changes: dict[str, Any], revision: str | None = None) -> Model:
        """Change what people wrote of a model: `description`, `labels`, `facts`.

        Args:
            revision: what `notes_revision` gave for the model that was read; None overwrites whatever is there.

        Raises:
            NotFound: there is no such model. Conflict: somebody else has changed it since.
        """
        with self._store.session() as session:
            model = session.get(Model, name, with_for_update=True)
            if model is None:
                raise NotFound(unknown_model(name, list(session.exec(select(Model.name)))))
            if revision is not None and revision != notes_revision(model):
                raise Conflict(f"Somebody else has changed {name} since you read it; load it again, then change it.")
            for column, value in changes.items():
                setattr(model, column, value)
            model.updated_at = now()
            session.add(model)
            return model

    def delete_model(self, name: str) -> list[str]:
        """Delete a model with its versions; returns their tags. Raises NotFound."""
        with self._store.session() as session:
            model = _model(session, name)
            rows = _versions(session, name)
            for row in rows:
                session.delete(row)
            session.flush()
            session.delete(model)
            return [row.bento_tag for row in rows]

    def settle_after_restart(self) -> None:
        """Say of versions that a stopped process left on their way what became of them."""
        with self._store.session() as session:
            unfinished = select(ModelVersion).where(col(ModelVersion.status).in_((*_UNFINISHED, *_LOADED)))
            live = {model.name: model.live_version for model in session.exec(select(Model))}
            for row in session.exec(unfinished).all():
                if row.status in _LOADED or live.get(row.model_name) == row.version:
                    row.status = "stopped"
                else:
                    row.status, row.error = (
                        "failed",
                        "The server stopped while this version was starting; deploy it again.",
                    )
                session.add(row)


def notes_revision(model: Model) -> str:
    """A word for what people wrote of a model; it changes with every change of that and of nothing else."""
    notes = orjson.dumps([model.description, model.labels, model.facts], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(notes).hexdigest()[:16]


def _exists(name: str, version: str) -> Conflict:
    return Conflict(f"{name} {version} exists, and a version never changes; leave the version out to get the next.")


def _model(session: Session, name: str) -> Model:
    model = session.get(Model, name)
    if model is None:
        raise NotFound(unknown_model(name, list(session.exec(select(Model.name)))))
    return model


def _versions(session: Session, name: str) -> list[ModelVersion]:
    chosen = select(ModelVersion).where(ModelVersion.model_name == name)
    return list(session.exec(chosen.order_by(col(ModelVersion.created_at).desc())))


def _version(session: Session, name: str, version: str) -> ModelVersion:
    chosen = select(ModelVersion).where(ModelVersion.model_name == name, ModelVersion.version == version)
    row = session.exec(chosen).first()
    if row is None:
        _model(session, name)
        raise NotFound(f"The model {name} has no version {version[:64]!r}; `worklets models show {name}` lists them.")
    return row
