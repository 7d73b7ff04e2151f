"""The file store: what is put comes back, whoever else writes, and whatever was cut off."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect_worklets.connectors.errors import BadInput, NotFound
from prefect_worklets.connectors.file_addresses import file_id, file_url
from prefect_worklets.connectors.files import INLINE_TYPES, FileStore
from prefect_worklets.connectors.store import Store

PNG = b"\x89PNG\r\n\x1a\n"


def _on_disk(files: FileStore) -> list[Path]:
    return [path for path in files._folder.rglob("*") if path.is_file()]


class TestPut:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
    @given(content=st.binary(max_size=300))
    def test_comes_back(self, files: FileStore, content: bytes) -> None:
        row = files.put(content, name="x.bin", owner="u")
        assert files.read(row.id) == content
        assert files.path(row.id).read_bytes() == content
        found = files.get(row.id)
        assert (found.size, found.name, found.owner) == (len(content), "x.bin", "u")

    def test_on_both_databases(self, store: Store, tmp_path: Path) -> None:
        files = FileStore(store, tmp_path / "files")
        row = files.put(b"content")
        assert files.read(row.id) == b"content"
        assert files.get(row.id) == row

    def test_equal_contents_share_one_file_and_no_id(self, files: FileStore) -> None:
        first, second = files.put(b"same", name="a"), files.put(b"same", name="b")
        assert first.id != second.id
        assert files.path(first.id) == files.path(second.id)
        assert len(_on_disk(files)) == 1

    def test_many_at_once(self, files: FileStore) -> None:
        content = os.urandom(200_000)
        ids: list[str] = []
        threads = [threading.Thread(target=lambda: ids.append(files.put(content).id)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(ids)) == 8
        assert all(files.read(id) == content for id in ids)
        assert len(_on_disk(files)) == 1

    def test_a_file_cut_short_by_a_crash_of_the_machine_is_written_again(self, files: FileStore) -> None:
        row = files.put(b"content")
        files.path(row.id).write_bytes(b"con")
        assert files.read(files.put(b"content").id) == b"content"

    def test_a_failure_leaves_nothing(self, files: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="no space left"):
            files.put(b"content")
        assert _on_disk(files) == []

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ada\\cat.png", "cat.png"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("  é.png ", "é.png"),
            ("x" * 500, "x" * 200),
            ("", ""),
        ],
    )
    def test_the_name_is_only_for_people(self, files: FileStore, name: str, kept: str) -> None:
        row = files.put(b"x", name=name)
        assert files.get(row.id).name == kept
        assert files.path(row.id).name == row.sha256

    @pytest.mark.parametrize(
        ("content", "name", "found"),
        [
            (PNG, "", "image/png"),
            (PNG, "x.html", "image/png"),
            (b"\xff\xd8\xff\xe0", "", "image/jpeg"),
            (b"GIF89a", "", "image/gif"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
            (b"%PDF-1.7", "", "application/pdf"),
            (b"a,b", "t.csv", "text/csv"),
            (b"<script>", "x.html", "text/html"),
            (b"?", "", "application/octet-stream"),
        ],
    )
    def test_the_type_is_guessed(self, files: FileStore, content: bytes, name: str, found: str) -> None:
        assert files.put(content, name=name).content_type == found

    @pytest.mark.parametrize("given", ["", "image", "image/", "text/html\r\nx: y", "a/b/c", "text/plain; x=y"])
    def test_a_wrong_type_is_refused(self, files: FileStore, given: str) -> None:
        with pytest.raises(BadInput, match="no media type"):
            files.put(b"x", content_type=given)

    def test_a_given_type_is_kept(self, files: FileStore) -> None:
        assert files.put(b"x", content_type="text/plain; charset=utf-8").content_type == "text/plain; charset=utf-8"

    @pytest.mark.parametrize("type_", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml"])
    def test_what_runs_scripts_is_never_shown_inline(self, type_: str) -> None:
        assert type_ not in INLINE_TYPES


class TestGet:
    @pytest.mark.parametrize("id", ["", "0" * 32, "../x", "A" * 32, "0" * 31, "0" * 33, "\x00", "0" * 5000])
    @pytest.mark.parametrize("method", ["get", "read", "path"])
    def test_an_unknown_one_is_not_found(self, files: FileStore, id: str, method: str) -> None:
        with pytest.raises(NotFound, match="POST /api/files") as raised:
            getattr(files, method)(id)
        assert len(str(raised.value)) < 200

    def test_a_lost_content_is_told(self, files: FileStore) -> None:
        row = files.put(b"x")
        files.path(row.id).unlink()
        with pytest.raises(NotFound, match=r"gone.*restore it from a backup"):
            files.read(row.id)


class TestSweep:
    def test_removes_what_dead_writers_left_and_nothing_else(self, files: FileStore) -> None:
        row = files.put(b"x")
        old, fresh = files._partial / "old", files._partial / "fresh"
        for path in (old, fresh):
            path.write_bytes(b"half")
        os.utime(old, (time.time() - 7200, time.time() - 7200))
        assert files.sweep() == 1
        assert not old.exists()
        assert fresh.exists()
        assert files.read(row.id) == b"x"

    def test_before_anything_was_put(self, files: FileStore) -> None:
        assert files.sweep() == 0


class TestAddress:
    def test_there_and_back(self) -> None:
        assert file_id(file_url("0123456789abcdef" * 2)) == "0123456789abcdef" * 2

    @pytest.mark.parametrize(
        "url",
        ["", "/api/files/", "/api/files/x", "0" * 32, "/api/files/" + "0" * 32 + "/x", "/api/files/../" + "0" * 32],
    )
    def test_anything_else_is_none(self, url: str) -> None:
        assert file_id(url) is None
