"""Taking in a package: unpacked, checked, and saved as a version that is not started yet."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from ..connectors.layout import DataDirectory
from ..connectors.tables import ModelVersion
from .artifacts import ArtifactStore
from .manifest import Manifest, check_name, check_version
from .package import check_package, unarchive
from .records import ModelRecords
from .tiers import choose


class Intake:
    """Makes versions of packages.

    Args:
        data: where archives are unpacked.
        records: gets the versions.
        artifacts: gets the files.
        in_process_limit: packages over so many bytes go to the shared host.
    """

    def __init__(
        self, data: DataDirectory, records: ModelRecords, artifacts: ArtifactStore, in_process_limit: int
    ) -> None:
        self._folder = data.root / "incoming"
        self._records = records
        self._artifacts = artifacts
        self._limit = in_process_limit
        self._locks: dict[str, asyncio.Lock] = {}

    async def receive(
        self, package: Path, name: str | None, version: str | None, tier: str, created_by: str | None
    ) -> ModelVersion:
        """The version of a package (a folder or a .tar.gz), a new one or the one that equals it.

        Raises:
            BadInput: it is no whole package, or a name, version or tier is not allowed.
            Conflict: the version exists.
        """
        if await asyncio.to_thread(package.is_dir):
            return await self._save(package, name, version, tier, created_by)
        folder = Path(await asyncio.to_thread(self._incoming))
        try:
            await asyncio.to_thread(unarchive, package, folder)
            return await self._save(folder, name, version, tier, created_by)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _incoming(self) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.mkdtemp(dir=self._folder)

    async def _save(
        self, folder: Path, name: str | None, version: str | None, tier: str, created_by: str | None
    ) -> ModelVersion:
        manifest = await asyncio.to_thread(check_package, folder)
        if name is not None:
            manifest = manifest.model_copy(update={"name": check_name(name)})
        chosen = choose(manifest, tier, limit=self._limit)
        version = version or manifest.version
        if version is None:
            same = await asyncio.to_thread(self._records.same_content, manifest.name, manifest.content_hash)
            if same is not None:
                return same
        async with self._locks.setdefault(manifest.name, asyncio.Lock()):
            row = await asyncio.to_thread(self._save_locked, folder, manifest, version, created_by)
        changes = {"tier": chosen.tier, "tier_reason": chosen.reason}
        return await asyncio.to_thread(self._records.update_version, row.id, **changes)

    def _save_locked(self, folder: Path, manifest: Manifest, version: str | None, by: str | None) -> ModelVersion:
        version = check_version(version or self._records.next_version(manifest.name))
        self._records.check_new(manifest.name, version)
        tag = self._artifacts.save(folder, manifest, version)
        return self._records.add_version(manifest, version, tag, by)
