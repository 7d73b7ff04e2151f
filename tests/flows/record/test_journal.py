"""The journal: a record that was appended is there, whatever happens to its writer or its disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from prefect_worklets.flows.journal import Journal, RunRecord
from prefect_worklets.flows.journal_lines import BadLine, parse_line

Make = Callable[..., RunRecord]


def lines_of(folder: Path) -> list[bytes]:
    files = sorted(folder.glob("*.jsonl"))
    return [line + b"\n" for file in files for line in file.read_bytes().split(b"\n")[:-1]]


class TestAppend:
    def test_a_line_holds_the_whole_record(self, tmp_path: Path, record: Make) -> None:
        journal, made = Journal(tmp_path), record(state="failed")
        journal.append(made)
        journal.close()
        (line,) = lines_of(tmp_path)
        row = parse_line(line)
        assert row["id"] == made.id
        assert row["error"] == made.error
        assert row["nodes"] == made.nodes
        assert json.loads(row["input"]) == {"sepal_length": 5.1}
        assert (row["started_us"], row["duration_us"]) == (made.started_us, made.duration_us)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (b'{"a":\n 1,\r\n"b": "x"}', {"a": 1, "b": "x"}),
            (b'{"a": "\xc3\xa4\\n"}', {"a": "ä\n"}),
            (b'{"a": NaN, "b": [Infinity]}', {"a": None, "b": [None]}),
            (b"[1, 2]", [1, 2]),
            (b"null", None),
            (b"", None),
            (None, None),
        ],
    )
    def test_any_json_of_a_request_comes_through(
        self, tmp_path: Path, record: Make, given: bytes | None, kept: object
    ) -> None:
        journal = Journal(tmp_path)
        journal.append(record(input=given))
        journal.append(record())
        journal.close()
        lines = lines_of(tmp_path)
        assert len(lines) == 2
        stored = parse_line(lines[0])["input"]
        assert (None if stored is None else json.loads(stored)) == kept

    def test_a_picture_is_cut_out_and_the_rest_kept(self, tmp_path: Path, record: Make) -> None:
        picture = "data:image/png;base64," + "A" * 200_000
        journal = Journal(tmp_path)
        journal.append(record(input=orjson.dumps({"content": picture, "size": 512})))
        (line,) = lines_of(tmp_path)
        assert len(line) < 2000
        assert json.loads(parse_line(line)["input"]) == {
            "content": {"$truncated": len(picture), "media_type": "image/png"},
            "size": 512,
        }

    def test_a_value_that_is_large_as_a_whole_leaves_its_size(self, tmp_path: Path, record: Make) -> None:
        value = orjson.dumps(list(range(100_000)))
        journal = Journal(tmp_path)
        journal.append(record(output=value))
        (line,) = lines_of(tmp_path)
        assert json.loads(parse_line(line)["output"]) == {"$truncated": len(value)}

    def test_an_error_of_odd_things_is_kept_as_text(self, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path)
        journal.append(record(error={"detail": Path("/x")}))
        assert parse_line(lines_of(tmp_path)[0])["error"] == {"detail": "/x"}

    def test_threads_do_not_mix_their_lines(self, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path, rotate_bytes=20_000)
        made = [[record() for _ in range(200)] for _ in range(8)]
        threads = [threading.Thread(target=lambda rows=rows: [journal.append(row) for row in rows]) for rows in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        journal.close()
        assert {parse_line(line)["id"] for line in lines_of(tmp_path)} == {row.id for rows in made for row in rows}
        assert journal.appended == 1600


class TestFiles:
    def test_a_full_file_is_followed_by_another(self, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path, rotate_bytes=2000)
        for _ in range(30):
            journal.append(record())
        files = sorted(tmp_path.glob("*.jsonl"))
        assert len(files) >= 4
        assert all(file.stat().st_size < 3000 for file in files)
        assert len(lines_of(tmp_path)) == 30

    def test_two_journals_have_files_of_their_own(self, tmp_path: Path, record: Make) -> None:
        for journal in (Journal(tmp_path), Journal(tmp_path)):
            journal.append(record())
        assert len(list(tmp_path.glob("*.jsonl"))) == 2

    def test_nothing_is_made_before_the_first_record(self, tmp_path: Path) -> None:
        Journal(tmp_path / "journal").close()
        assert list((tmp_path / "journal").iterdir()) == []

    def test_a_closed_journal_drops_and_does_not_raise(self, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path)
        journal.close()
        journal.append(record())
        assert journal.dropped == 1


class TestTrouble:
    def test_a_full_disk_drops_whole_records_and_tells_once(
        self, tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        journal = Journal(tmp_path)
        journal.append(record())
        write, full = os.write, [True]

        def half(descriptor: int, line: bytes) -> int:
            return write(descriptor, line[: len(line) // 2] if full[0] else line)

        monkeypatch.setattr("prefect_worklets.flows.journal.os.write", half)
        for _ in range(5):
            journal.append(record())
        full[0] = False
        journal.append(record())
        assert (journal.appended, journal.dropped) == (2, 5)
        assert len([parse_line(line) for line in lines_of(tmp_path)]) == 2
        assert len(caplog.records) == 1
        assert str(tmp_path) in caplog.text

    def test_a_real_limit_on_the_file_size(self, tmp_path: Path) -> None:
        """The system writes the part that fits: it must not stay."""
        script = _WRITER + (
            "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "for n in range(50): journal.append(record(n))\n"
            "print(journal.appended, journal.dropped)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
        appended, dropped = map(int, done.stdout.split())
        assert appended > 10
        assert dropped == 50 - appended
        assert [parse_line(line)["id"] for line in lines_of(tmp_path)] == [f"run-{n}" for n in range(appended)]

    def test_a_missing_folder_is_no_error_of_the_request(self, tmp_path: Path, record: Make) -> None:
        journal = Journal(tmp_path / "journal")
        (tmp_path / "journal").rmdir()
        journal.append(record())
        assert journal.dropped == 1

    def test_what_was_appended_outlives_kill_9(self, tmp_path: Path) -> None:
        script = _WRITER + "n = 0\nwhile True:\n    journal.append(record(n)); print(n, flush=True); n += 1\n"
        with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(500):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split()
        told = 500 + len(rest)
        ids = {parse_line(line)["id"] for line in lines_of(tmp_path)}
        assert {f"run-{n}" for n in range(told)} <= ids


_WRITER = """
import sys, time
from pathlib import Path
from prefect_worklets.flows.journal import Journal, RunRecord
journal = Journal(Path(sys.argv[1]), rotate_bytes=20_000)
def record(n):
    return RunRecord(f"run-{n}", "iris", 1, "api", None, "completed", time.time_ns() // 1000, 5, b'{"a": 1}')
"""


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"id": 1}',
        b'[2,"a","w",1,"api",null,"completed",1,1,null,null,null,[]]',
        b'[1,5,"w",1,"api",null,"completed",1,1,null,null,null,[]]',
        b'[1,"","w",1,"api",null,"completed",1,1,null,null,null,[]]',
        b'[1,"a","w","1","api",null,"completed",1,1,null,null,null,[]]',
        b'[1,"a","w",1,"api",null,"completed",1e3,1,null,null,null,[]]',
        b'[1,"a","w",1,"api",null,"completed",99999999999999999999999,1,null,null,null,[]]',
        b'[1,"a","w",1,"api",7,"completed",1,1,null,null,null,[]]',
        b'[1,"a","w",1,"api",null,"completed",1,1,null,null,"oops",[]]',
        b'[1,"a","w",1,"api",null,"completed",1,1,null,null,null,null]',
        b'[1,"a\\u0000","w",1,"api",null,"completed",1,1,null,null,null,[]]',
    ],
)
def test_a_line_that_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(BadLine):
        parse_line(line)
