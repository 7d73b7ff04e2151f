"""The worklets that answer: pushed, checked, stored as immutable versions, and swapped in by a pointer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from ..connectors.errors import BadInput, Conflict, DefinitionError, Fault, NotFound, Unavailable, WorkletsError
from ..connectors.store import Store
from ..connectors.tables import Project as ProjectRow
from ..connectors.tables import Worklet as WorkletRow
from ..connectors.tables import WorkletVersion, now
from . import bundle as bundles
from .calling import call_faults
from .faults import did_you_mean
from .graph import GraphDocument
from .project import Project, load_project
from .project_hosts import ProjectHosts
from .project_modules import worklet_modules
from .remote import RemoteWorklet
from .reviewing import waits_for_people
from .worklet import Worklet

logger = logging.getLogger(__name__)

_PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_KEPT_UNUSED = 4
# Takes the views of a push, or their components, into the same transaction: (session, documents by name, who pushed).
TakeViews = Callable[[Session, Mapping[str, dict[str, Any]], str | None], None]


@dataclass(frozen=True, slots=True)
class LiveWorklet:
    """A worklet's version as it answers."""

    name: str
    version: int
    worklet: Worklet[Any, Any] | RemoteWorklet
    graph: GraphDocument
    project_hash: str
    generation: int = 0
    # It has a review, so that nobody can wait for its answer.
    waits_for_people: bool = False


@dataclass(frozen=True, slots=True)
class PushedVersion:
    """What a push made of one worklet; `created` is False where this content was there already."""

    worklet: str
    version: int
    created: bool
    live: bool = True


@dataclass
class Registry:
    """Live worklets by name, over the store and the folder of pushed sources.

    Methods that load or store block: call them in a thread. `live` and `get` never block.

    Args:
        store: where projects, worklets and versions are.
        folder: where pushed sources lie, one folder a content hash.
        take_views: gets the views of a push, in the push's own transaction; raising undoes the push.
        hosts: the processes of projects with requirements of their own.
        take_components: gets the components of views that authors define, before the views, in the same transaction.
        starting: what was live before is not loaded yet, so that a name which isn't here may come.
    """

    store: Store
    folder: Path
    take_views: TakeViews | None = None
    hosts: ProjectHosts | None = None
    take_components: TakeViews | None = None
    starting: bool = False
    live: dict[str, LiveWorklet] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    _projects: dict[str, Project] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # --- asking -------------------------------------------------------------------------------------

    def get(self, name: str) -> LiveWorklet:
        """The live version. Raises NotFound with close matches, Unavailable for one that can't be loaded here."""
        found = self.live.get(name)
        if found is None:
            raise self._absent(name)
        return found

    def _absent(self, name: str) -> WorkletsError:
        reason = self.broken.get(name)
        if reason is not None:
            return Unavailable(f"The worklet {name!r} can't be loaded by this server: {reason}")
        if self.starting:
            return Unavailable(f"The server has just started and may not have loaded {name[:64]!r} yet; ask again.")
        hint = did_you_mean(name, self.live) or "`worklets push` adds some."
        return NotFound(f"There is no worklet {name[:64]!r}. {hint}")

    def pinned(self, text: str) -> LiveWorklet:
        """The version of `NAME@NUMBER`, or the live one of `NAME`; blocking with a number. Raises NotFound."""
        name, at, number = text.partition("@")
        if not at:
            return self.get(name)
        if not number.isdecimal() or len(number) > 9:
            raise NotFound(f"{text[:64]!r} names no version; write NAME@3.")
        return self.version(name, int(number))

    def version(self, name: str, number: int) -> LiveWorklet:
        """One version, live or not; blocking. Raises NotFound, DefinitionError (it can't be loaded any more)."""
        live = self.live.get(name)
        if live is not None and live.version == number:
            return live
        with self._lock:
            with self.store.read() as session:
                row = session.exec(
                    select(WorkletVersion).where(WorkletVersion.worklet_name == name, WorkletVersion.number == number)
                ).first()
            if row is None:
                raise NotFound(f"The worklet {name!r} has no version {number}.")
            loaded = self._loaded(row.project_hash)
        graph = loaded.graph(name)
        waits = waits_for_people(graph.nodes)
        return LiveWorklet(name, number, loaded.worklets[name], graph, loaded.content_hash, waits_for_people=waits)

    # --- pushing ------------------------------------------------------------------------------------

    def push(self, bundle: bytes, project: str, by: str | None = None, *, draft: bool = False) -> list[PushedVersion]:
        """Check a bundle, store it and let its worklets answer: all of them, or nothing changes.

        A draft answers by its number alone (`NAME@3`), until it is promoted; its views are checked and not published.

        Raises:
            BadInput: the project's name or the bundle doesn't fit.
            DefinitionError: its code has faults; all are listed.
            Conflict: another project has a worklet of the same name.
        """
        if not _PROJECT_NAME.fullmatch(project):
            raise BadInput(f"{project[:64]!r} is no project name; use a-z, 0-9, '.', '_' and '-' (at most 63).")
        with self._lock:
            content_hash, is_new = self._keep_source(bundle)
        self._make_environments(content_hash)  # which may take minutes: others push meanwhile
        with self._lock:
            try:
                loaded = self._loaded(content_hash)
                if not loaded.worklets and not loaded.views:
                    raise BadInput(
                        "The project has no worklet and no view; put @pw.worklet above a function in one of its "
                        "modules, or a document into views/."
                    )
                self._check_calls(loaded)
                try:
                    pushed, rows = self._store_versions(loaded, project, by, draft)
                except IntegrityError:  # another process has pushed in between: now its rows are there to be seen
                    pushed, rows = self._store_versions(loaded, project, by, draft)
            except BaseException:
                if is_new:
                    self._forget_source(content_hash)
                raise
            if not draft:
                self._swap(loaded, rows)
        return pushed

    def _check_calls(self, loaded: Project) -> None:
        """Raises DefinitionError where the worklets would call what is not there, or themselves."""
        graphs = {name: loaded.graph(name) for name in loaded.worklets}
        others = {name: live.graph for name, live in self.live.items()}
        faults = call_faults(graphs, others, self._has_version)
        if faults:
            raise DefinitionError("The project's calls of worklets don't fit together.", faults=faults)

    def _has_version(self, name: str, number: int) -> bool:
        query = select(WorkletVersion).where(WorkletVersion.worklet_name == name, WorkletVersion.number == number)
        with self.store.read() as session:
            return session.exec(query).first() is not None

    def _keep_source(self, bundle: bytes) -> tuple[str, bool]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = Path(tempfile.mkdtemp(dir=self.folder, prefix=".push-"))
        try:
            bundles.unpack(bundle, partial)
            content_hash = bundles.tree_hash(partial)
            target = self.folder / content_hash
            if target.is_dir():
                return content_hash, False
            partial.rename(target)
            return content_hash, True
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _make_environments(self, content_hash: str) -> None:
        if self.hosts is None or content_hash in self._projects:
            return
        for module in worklet_modules(self.folder / content_hash, []):
            if module.wanted.own:
                with contextlib.suppress(WorkletsError):  # told with the project's other faults
                    self.hosts.wait(self.hosts.prepare(module.wanted))

    def _forget_source(self, content_hash: str) -> None:
        project = self._projects.pop(content_hash, None)
        if project is not None and project.tree is not None:
            project.tree.close()
        shutil.rmtree(self.folder / content_hash, ignore_errors=True)

    def _loaded(self, content_hash: str) -> Project:
        found = self._projects.get(content_hash)
        if found is None:
            found = load_project(self.folder / content_hash, content_hash, hosts=self.hosts)
            self._projects[content_hash] = found
        return found

    def _store_versions(
        self, loaded: Project, project: str, by: str | None, draft: bool
    ) -> tuple[list[PushedVersion], list[WorkletRow]]:
        pushed: list[PushedVersion] = []
        rows: list[WorkletRow] = []
        with self.store.session() as session:
            if session.get(ProjectRow, loaded.content_hash) is None:
                session.add(ProjectRow(content_hash=loaded.content_hash, name=project, created_by=by))
                session.flush()
            self._check_names(session, loaded, project)
            for name in sorted(loaded.worklets):
                row, version, created = self._store_version(session, loaded, name, project, by, draft)
                rows.append(row)
                pushed.append(PushedVersion(name, version, created, live=row.live_version == version))
            if self.take_components is not None and loaded.components and not draft:
                self.take_components(session, loaded.components, by)
            if self.take_views is not None and loaded.views and not draft:
                self.take_views(session, loaded.views, by)
        return pushed, rows

    def _check_names(self, session: Session, loaded: Project, project: str) -> None:
        query = select(WorkletRow).where(col(WorkletRow.name).in_(list(loaded.worklets)))
        taken = [row for row in session.exec(query) if row.project != project]
        if taken:
            faults = [Fault((row.name,), f"it belongs to the project {row.project!r}.") for row in taken]
            raise Conflict("Worklets of these names belong to other projects; give yours other names.", faults=faults)

    def _store_version(
        self, session: Session, loaded: Project, name: str, project: str, by: str | None, draft: bool
    ) -> tuple[WorkletRow, int, bool]:
        graph = loaded.graph(name)
        row = session.get(WorkletRow, name, with_for_update=True)
        if row is None:
            row = WorkletRow(name=name, project=project)
            session.add(row)
            session.flush()
        same = select(WorkletVersion).where(
            WorkletVersion.worklet_name == name, WorkletVersion.project_hash == loaded.content_hash
        )
        version = session.exec(same).first()
        created = version is None
        if version is None:
            last = session.exec(
                select(func.max(WorkletVersion.number)).where(WorkletVersion.worklet_name == name)
            ).one()
            version = WorkletVersion(
                worklet_name=name,
                number=(last or 0) + 1,
                project_hash=loaded.content_hash,
                graph=graph.model_dump(mode="json"),
                created_by=by,
                draft=draft,
            )
        if not draft:
            version.draft = False
            _point(row, version.number, graph.description)
        session.add_all([version, row])
        return row, version.number, created

    def _swap(self, loaded: Project, rows: list[WorkletRow]) -> None:
        changed = {row.name: _live(loaded, row) for row in rows}
        # A new mapping in one assignment: a request sees all of a push or nothing of it.
        self.live = {**self.live, **changed}
        self.broken = {name: reason for name, reason in self.broken.items() if name not in changed}
        self._unload()

    def _unload(self) -> None:
        """Forget projects that answer no more, but for the last few: a run may still be under way in them."""
        used = {live.project_hash for live in self.live.values()}
        for content_hash in [each for each in self._projects if each not in used][:-_KEPT_UNUSED]:
            tree = self._projects.pop(content_hash).tree
            if tree is not None:
                tree.close()

    # --- versions -----------------------------------------------------------------------------------

    def promote(self, name: str, version: int) -> LiveWorklet:
        """Let another version answer. Raises NotFound, DefinitionError (it can't be loaded any more)."""
        with self._lock:
            with self.store.read() as session:
                wanted = session.exec(
                    select(WorkletVersion).where(WorkletVersion.worklet_name == name, WorkletVersion.number == version)
                ).first()
                if wanted is None:
                    if session.get(WorkletRow, name) is None:
                        raise self._absent(name)
                    raise NotFound(f"The worklet {name!r} has no version {version}.")
            loaded = self._loaded(wanted.project_hash)
            with self.store.session() as session:
                row = session.get(WorkletRow, name, with_for_update=True)
                if row is None:
                    raise self._absent(name)
                wanted.draft = False
                _point(row, version, wanted.graph.get("description", ""))
                session.add_all([session.merge(wanted), row])
            self._swap(loaded, [row])
        return self.live[name]

    def rollback(self, name: str) -> LiveWorklet:
        """Let the version before the live one answer. Raises NotFound, Conflict if there is none."""
        with self.store.read() as session:
            row = session.get(WorkletRow, name)
            if row is None:
                raise self._absent(name)
            before = session.exec(
                select(func.max(WorkletVersion.number)).where(
                    WorkletVersion.worklet_name == name,
                    col(WorkletVersion.number) < (row.live_version or 0),
                    col(WorkletVersion.draft).is_(False),
                )
            ).one()
        if before is None:
            raise Conflict(f"The worklet {name!r} has no version before the live one ({row.live_version}).")
        return self.promote(name, before)

    # --- keeping up with the store ------------------------------------------------------------------

    def load_all(self) -> None:
        """Load every live version that isn't loaded yet: at the start, and after another process's push.

        A worklet that can't be loaded is logged and kept in `broken`; the others answer.
        """
        with self._lock:
            with self.store.read() as session:
                query = (
                    select(WorkletRow, WorkletVersion.project_hash)
                    .join(WorkletVersion, col(WorkletVersion.worklet_name) == col(WorkletRow.name))
                    .where(col(WorkletRow.live_version) == col(WorkletVersion.number))
                )
                found = list(session.exec(query))
            known = {name: each.generation for name, each in self.live.items()}
            for row, content_hash in found:
                if known.get(row.name) == row.generation:
                    continue
                try:
                    self._swap(self._loaded(content_hash), [row])
                except (WorkletsError, OSError) as error:
                    if row.name not in self.broken:
                        logger.error("the worklet %r can't be loaded: %s", row.name, error)
                    self.broken = {**self.broken, row.name: str(error).partition("\n")[0]}
            gone = set(self.live) - {row.name for row, _ in found}
            if gone:
                self.live = {name: each for name, each in self.live.items() if name not in gone}

    async def watch(self, every: float = 2.0) -> None:
        """Keep up with pushes of other processes, until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                await asyncio.to_thread(self.load_all)
            except Exception:
                logger.exception("looking for new worklet versions failed; trying again in %s s", every)


def _point(row: WorkletRow, version: int, description: str) -> None:
    if row.live_version != version:
        row.live_version = version
        row.generation += 1
        row.updated_at = now()
    row.description = description.partition("\n\n")[0]


def _live(loaded: Project, row: WorkletRow) -> LiveWorklet:
    graph = loaded.graph(row.name)
    return LiveWorklet(
        name=row.name,
        version=row.live_version or 0,
        worklet=loaded.worklets[row.name],
        graph=graph,
        waits_for_people=waits_for_people(graph.nodes),
        project_hash=loaded.content_hash,
        generation=row.generation,
    )
