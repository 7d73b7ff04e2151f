"""The lines of the list of models, by four questions to the store however many there are."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from ...connectors.tables import Model, ModelVersion


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model as a list shows it, with its live version, and why the newest one failed if it did."""

    model: Model
    live: ModelVersion | None
    versions: int
    trouble: str = ""

    @property
    def framework(self) -> str:
        """Of the live version."""
        return str(self.live.manifest.get("framework") or "") if self.live is not None else ""


def model_lines(session: Session) -> list[ModelLine]:
    """Every model by name."""
    name, made = col(ModelVersion.model_name), col(ModelVersion.created_at)
    models = session.scalars(select(Model).order_by(col(Model.name))).all()
    counted = {str(owner): int(count) for owner, count in session.execute(select(name, func.count()).group_by(name))}
    is_live = (col(Model.name) == name) & (col(Model.live_version) == col(ModelVersion.version))
    live = session.scalars(select(ModelVersion).join(Model, is_live)).all()
    newest = select(name.label("owner"), func.max(made).label("made")).group_by(name).subquery()
    is_newest = (newest.c.owner == name) & (newest.c.made == made)
    failed = session.scalars(
        select(ModelVersion).join(newest, is_newest).where(col(ModelVersion.status) == "failed")
    ).all()
    by_name = {version.model_name: version for version in live}
    broken = {version.model_name: f"{version.version}: {version.error}" for version in failed}
    return [
        ModelLine(model, by_name.get(model.name), counted.get(model.name, 0), broken.get(model.name, ""))
        for model in models
    ]
