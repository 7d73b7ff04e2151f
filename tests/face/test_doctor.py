"""The doctor: every check, right and wrong."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from prefect_worklets.connectors.errors import SetupError
from prefect_worklets.connectors.store import Store

from prefect_worklets import doctor
from prefect_worklets.doctor import Finding, examine, read_status
from prefect_worklets.profile import Profile, write_profile
from prefect_worklets.settings import Settings

from .conftest import Instance, call_worklets, clean_environment, run_worklets


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> Settings:
    for name in ("WORKLETS_DATABASE_URL", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    return Settings(data_dir=tmp_path / "data", port=unused_tcp_port)


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings)}


def test_a_fresh_machine_is_fine(settings: Settings) -> None:
    findings = found(settings)
    wrong = [finding for finding in findings.values() if finding.needed and not finding.ok]
    assert wrong == []
    assert {"Python", "prefect", "panel", "model zoo", "data directory", "store", "disk space", "Prefect"} <= set(
        findings
    )
    assert not settings.data.root.exists()


def test_every_finding_that_is_wrong_has_a_fix(settings: Settings) -> None:
    assert all(finding.fix for finding in examine(settings) if not finding.ok)


@pytest.mark.parametrize(("installed", "wanted", "fits"), [
    ("3.8.8", ">=3.8.8,<3.9", True), ("3.9.0", ">=3.8.8,<3.9", False), ("0.151.0", "<0.151", False),
])  # fmt: skip
def test_versions(installed: str, wanted: str, fits: bool) -> None:
    assert doctor._fits(installed, wanted) is fits


def test_a_directory_that_cannot_be_made(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "file").write_text("")
    wrong = found(settings.model_copy(update={"data_dir": tmp_path / "file" / "data"}))["data directory"]
    assert not wrong.ok
    assert "WORKLETS_DATA_DIR" in wrong.fix


def test_a_path_too_long_for_sockets(tmp_path: Path, settings: Settings) -> None:
    assert not found(settings.model_copy(update={"data_dir": tmp_path / ("x" * 120)}))["socket path"].ok


def test_a_directory_open_to_others(settings: Settings) -> None:
    settings.data.prepare()
    settings.data.root.chmod(0o755)
    assert "chmod 700" in found(settings)["privacy"].fix


def test_the_schema_is_compared(settings: Settings) -> None:
    settings.data.prepare()
    store = Store(settings.store_url)
    store.check()
    assert "of nothing" in found(settings)["store"].found
    store.migrate()
    assert found(settings)["store"].ok
    store.close()


def test_a_store_that_does_not_answer(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://u:secret@127.0.0.1:1/x"})
    wrong = found(away)["store"]
    assert not wrong.ok
    assert "secret" not in wrong.found


def test_a_port_that_another_program_has(settings: Settings) -> None:
    name = f"port {settings.port}"
    assert "free" in found(settings)[name].found
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", settings.port))
        taker.listen()
        assert "another program" in found(settings)[name].found


def test_a_server_that_does_not_answer(settings: Settings) -> None:
    write_profile(settings.data.prepare(), Profile(url=f"http://127.0.0.1:{settings.port}", key="k"))
    wrong = found(settings)["API"]
    assert not wrong.ok
    assert "worklets up" in wrong.fix


def test_a_server_that_answers(instance: Instance) -> None:
    assert found(Settings(data_dir=instance.data.root))["API"].ok


def test_prefect_that_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{unused_tcp_port}/api")
    assert not found(settings)["Prefect"].ok


async def test_processes_by_the_status_socket(settings: Settings) -> None:
    def process(name: str, state: str, *lines: str) -> dict:
        return {"name": name, "pid": 1, "state": state, "restarts": 7, "since": 0.0, "last_lines": list(lines)}

    document = {"pid": 42, "processes": [process("app", "ready"), process("views", "failing", "no module x")]}

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(document).encode() + b"\n")
        writer.close()

    settings.data.prepare()
    async with await asyncio.start_unix_server(answer, settings.data.socket("supervisor")):
        assert await asyncio.to_thread(read_status, settings.data) == document
        findings = await asyncio.to_thread(found, settings)
        shown = await asyncio.to_thread(
            run_worklets, "status", "--data", str(settings.data.root), environment=clean_environment()
        )
        failing = await asyncio.to_thread(
            call_worklets, "doctor", "--data", str(settings.data.root), environment=clean_environment()
        )
    assert findings["process app"].ok
    assert not findings["process views"].ok
    assert "no module x" in findings["process views"].found
    assert "views    failing" in shown.stdout
    assert "views: no module x" in shown.stdout
    assert failing.returncode == 1


async def test_a_server_that_hangs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ANSWER_SECONDS", 0.1)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    settings.data.prepare()
    async with await asyncio.start_unix_server(silent, settings.data.socket("supervisor")):
        with pytest.raises(SetupError, match="start it again"):
            await asyncio.to_thread(read_status, settings.data)


def test_the_command(tmp_path: Path) -> None:
    environment = {**clean_environment(), "WORKLETS_DATA_DIR": str(tmp_path / "data")}
    result = call_worklets("doctor", "--json", environment=environment)
    assert result.returncode == 0, result.stdout
    assert {"name", "ok", "found", "fix", "needed"} == set(json.loads(result.stdout)[0])
    assert "Python" in call_worklets("doctor", environment=environment).stdout
