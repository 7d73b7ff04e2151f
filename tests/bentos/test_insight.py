"""What is known of a model that runs: its latest minutes, and what it printed and raised."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prefect_worklets.bentos.drift_watch import DriftWatch
from prefect_worklets.bentos.insight_api import insight_routes
from prefect_worklets.bentos.model_log import MAX_BYTES, Heard, ModelLog, log_path, read_log, speaking, trim
from prefect_worklets.bentos.package import pack
from prefect_worklets.bentos.pulse import STEPS, Pulse, quantile
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.errors import WorkletsError
from prefect_worklets.connectors.meters import BOUNDS, Meter
from prefect_worklets.connectors.redaction import redacted
from prefect_worklets.connectors.web import Guard, problem_response
from starlette.applications import Starlette


class Chatty:
    """A model that prints, and raises for a negative number."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        print("asked with", X.tolist())
        logging.getLogger("chatty").warning("a warning")
        if (X < 0).any():
            raise ValueError("no roots of negative numbers")
        return X**0.5


@pytest.fixture
async def chatty(deployer: Any, tmp_path: Path) -> Any:
    return await deployer.deploy(pack(Chatty(), "chatty", sample_input=np.array([[4.0]]), folder=tmp_path / "p"))


class TestPulse:
    async def test_it_counts_what_happened_between_two_looks(self, router: Any, chatty: Any) -> None:
        pulse = Pulse(router)
        pulse.look(1.0)
        for _ in range(4):
            await router.predict("chatty", [[9.0]])
        for wrong in ([[-1.0]], [["x"]], [[None]]):
            with pytest.raises(WorkletsError):
                await router.predict("chatty", wrong)
        pulse.look(6.0)
        pulse.look(11.0)
        seen = pulse.of("chatty")
        assert seen["at"] == [1.0, 6.0, 11.0]
        assert [seen[key] for key in ("answered", "failed", "refused")] == [[0, 4, 0], [0, 1, 0], [0, 2, 0]]
        assert seen["p50"][0] is None
        assert 0 < seen["p50"][1] <= seen["p95"][1] < 5

    async def test_it_keeps_ten_minutes_and_forgets_deleted_models(
        self, router: Any, deployer: Any, chatty: Any
    ) -> None:
        pulse = Pulse(router)
        for at in range(STEPS + 5):
            pulse.look(float(at))
        assert len(pulse.of("chatty")["at"]) == STEPS
        await deployer.delete("chatty")
        pulse.look(999.0)
        assert pulse.of("chatty")["at"] == []

    @pytest.mark.parametrize("seconds", [0.00005, 0.0004, 0.003, 0.07, 2.0, 500.0])
    def test_quantiles_lie_in_the_bucket_of_the_value(self, seconds: float) -> None:
        meter = Meter()
        for _ in range(100):
            meter.add(seconds)
        high = next((bound for bound in BOUNDS if bound >= seconds), BOUNDS[-1])
        low = max([bound for bound in BOUNDS if bound < min(seconds, BOUNDS[-1])], default=0.0)
        found = quantile(meter.counts, 0.95)
        assert found is not None
        assert low <= found <= high
        assert quantile(Meter().counts, 0.5) is None


class TestLog:
    async def test_prints_and_tracebacks(self, router: Any, data: Any, chatty: Any) -> None:
        with redirect_stdout(Heard(io.StringIO())):
            await router.predict("chatty", [[16.0]])
            with pytest.raises(WorkletsError):
                await router.predict("chatty", [[-1.0]])
            print("somebody else")
        text = "\n".join(read_log(log_path(data.logs, "chatty", chatty.version), 100))
        assert "asked with [[16.0]]" in text
        assert "ValueError: no roots of negative numbers" in text
        assert "in predict" in text
        assert "somebody else" not in text
        assert "bentos/hosted.py" not in text

    async def test_why_a_version_failed(self, deployer: Any, data: Any, tmp_path: Path) -> None:
        folder = pack(Chatty(), "sad", sample_input=np.array([[-4.0]]), folder=tmp_path / "p")
        with pytest.raises(WorkletsError):
            await deployer.deploy(folder)
        assert "Traceback" in "\n".join(read_log(log_path(data.logs, "sad", "1.0.0"), 100))

    async def test_the_routes(self, store: Any, data: Any, router: Any, deployer: Any, chatty: Any) -> None:
        async def told(_request: Any, error: Any) -> Any:
            return problem_response(error)

        access = Access(store)
        watched = Pulse(router)
        watched.look(0.0)
        routes = insight_routes(
            deployer.records,
            Guard(access),
            data,
            watched,
            store,
            DriftWatch(store, deployer.records, deployer.artifacts),
        )
        app = Starlette(routes=routes, exception_handlers={WorkletsError: told})
        with redirect_stdout(Heard(io.StringIO())):
            await router.predict("chatty", [[16.0]])
        headers = {
            role: {"authorization": f"Bearer {access.create_key(role, role)}"} for role in ("operator", "builder")
        }
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
            logs = "/api/models/chatty/logs"
            assert (await client.get(logs, headers=headers["operator"])).status_code == 403
            found = (await client.get(logs + "?lines=1", headers=headers["builder"])).json()
            assert (found["version"], len(found["lines"])) == (chatty.version, 1)
            for query, status in (("?lines=0", 400), ("?lines=x", 400), ("?version=9.9.9", 404)):
                assert (await client.get(logs + query, headers=headers["builder"])).status_code == status
            pulse = await client.get("/api/models/chatty/pulse", headers=headers["operator"])
            assert pulse.json()["seconds"] == 5.0
            assert (await client.get("/api/models/no/pulse", headers=headers["operator"])).status_code == 404
            assert (await client.get("/api/pulse")).status_code == 401
            everything = (await client.get("/api/pulse", headers=headers["operator"])).json()
            assert everything["seconds"] == 5.0
            assert everything["models"]["chatty"]["drifted"] == 0

    async def test_all_at_once(self, router: Any, chatty: Any) -> None:
        pulse = Pulse(router)
        pulse.look(0.0)
        await router.predict("chatty", [[16.0]])
        with pytest.raises(WorkletsError):
            await router.predict("chatty", [[-1.0]])
        pulse.look(5.0)
        found = pulse.all()["chatty"]
        assert (sum(found["answered"]), found["failed"], found["refused"]) == (1, 1, 0)
        assert 0 < found["p50"] < 60

    def test_it_stays_small(self, tmp_path: Path) -> None:
        log = ModelLog(tmp_path / "l" / "m.log")
        for number in range(1200):
            log.write(f"line {number} " + "x" * 1000 + "\n")
        assert log.path.stat().st_size <= MAX_BYTES + 5000
        assert read_log(log.path, 1)[0].split()[2:4] == ["line", "1199"]
        log.write("half a line")
        assert "half" not in read_log(log.path, 1)[0]
        trim(log.path, 10)
        assert read_log(tmp_path / "none.log", 5) == []

    def test_a_full_disk_stops_no_model(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        ModelLog(tmp_path / "file" / "m.log").write("nowhere to go\n")

    def test_a_stream_passes_everything_on(self) -> None:
        behind = io.StringIO()
        heard = Heard(behind)
        assert speaking.log is None
        assert heard.write("text") == 4
        heard.flush()
        assert behind.getvalue() == "text"


class TestRedaction:
    @pytest.mark.parametrize(
        ("text", "secret"),
        [
            ("key wk_abcdefghijklmnopqrst used", "abcdefghijklmnopqrst"),
            ("Authorization: Bearer abcdefghijklmnop1234", "abcdefghijklmnop1234"),
            ("postgresql+psycopg://ada:hunter22@db/x", "hunter22"),
            ("WORKLETS_INTERNAL_KEY=s3cretvalue99", "s3cretvalue99"),
            ('{"api_key": "zzz-yyy-xxx"}', "zzz-yyy-xxx"),
            ("password: correct-horse", "correct-horse"),
        ],
    )
    def test_secrets_go(self, text: str, secret: str) -> None:
        assert secret not in redacted(text)
        assert "***" in redacted(text)

    def test_the_rest_stays(self) -> None:
        text = "epoch 3: loss=0.25 http://host/path tokens per second 9"
        assert redacted(text) == text
