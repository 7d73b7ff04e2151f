import json
import os
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.figures import Round
from benchmarks.machine import PACKAGES, describe
from benchmarks.processes import Weight
from benchmarks.run import Figures

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def figures():
    def one(subject, concurrency, p50, number):
        return Round(subject, concurrency, number, int(2000 / p50), 2.0, p50, p50 * 2, 0.2)

    speeds = {"fastapi-def": 1.0, "worklet": 0.5}
    rounds = [one(s, c, p50 * (1 + n), n) for s, p50 in speeds.items() for c in (1, 32) for n in range(3)]
    return Figures(
        rounds=rounds,
        prefect={"call": [150.0, 200.0, 100.0], "deployment": [6000.0]},
        memory={
            "fastapi-def": [Weight("uvicorn", 100, 110)],
            "worklet": [Weight("app", 200, 210), Weight("views", 90, 99)],
        },
        memory_after={"worklet": [Weight("app", 201, 211), Weight("views", 91, 99)]},
        sent={"worklet": 12_000},
        recorded={
            "sent": 12_000,
            "at_end_of_load": {"in_store": 11_000, "in_prefect": 100, "sampled_out": 0, "waiting": 10_900},
            "later": {"in_store": 12_000, "in_prefect": 500, "sampled_out": 9_000, "waiting": 2_500},
            "waited_s": 10.0,
            "to_prefect_per_s": 40.0,
        },
    )


@pytest.fixture
def result(figures):
    return report.result(
        figures, describe(REPOSITORY), {"quick": False, "seed": 1, "took_s": 100.0, "load_before": 0.1}
    )


def test_ratios_are_against_fastapi_def(result):
    ratios = result["ratios"]
    assert ratios["worklet / fastapi-def, p50 at 1"]["median"] == pytest.approx(0.5)
    assert ratios["worklet / fastapi-def, rate at 32"]["median"] == pytest.approx(2, rel=0.01)
    assert ratios["prefect call / worklet, p50 at 1"]["median"] == pytest.approx(150 / 1.0)


def test_the_result_is_json_with_the_raw_rounds(result):
    again = json.loads(json.dumps(result))
    assert len(again["rounds"]) == 12
    assert again["prefect_latencies_ms"]["call"] == [150.0, 200.0, 100.0]
    assert set(again["machine"]["packages"]) == set(PACKAGES)


def test_the_page_names_machine_ratios_record_and_memory(result):
    page = report.text(result)
    assert f"{os.cpu_count()} cores" in page
    assert "0.50 (0.50-0.50)" in page
    assert "12,000 runs were sent; the store has 12,000" in page
    assert "· views" in page
    assert "Full run" in page


def test_every_table_row_has_as_many_cells_as_its_head(result):
    table = None
    for line in report.text(result).splitlines():
        if not line.startswith("|"):
            table = None
            continue
        table = table or line.count("|")
        assert line.count("|") == table, line


def test_files_are_named_by_date_and_machine(result, tmp_path):
    paths = report.write(result, "page", tmp_path / "results")
    stem = f"{result['taken_at'][:10]}-{result['machine']['id']}"
    assert [path.name for path in paths] == [f"{stem}.json", f"{stem}.md"]
    assert paths[1].read_text() == "page"


def test_a_quick_run_does_not_replace_a_full_one(result, tmp_path):
    report.write(result, "full", tmp_path)
    result["settings"]["quick"] = True
    paths = report.write(result, "quick", tmp_path)
    assert paths[1].name.endswith("-quick.md")
    assert len(list(tmp_path.iterdir())) == 4


def test_a_run_of_the_peers_alone_has_no_record(figures, tmp_path):
    figures.rounds = [r for r in figures.rounds if r.subject != "worklet"]
    figures.recorded = None
    result = report.result(figures, describe(REPOSITORY), {"quick": True, "seed": 1, "took_s": 9.0, "load_before": 0.1})
    page = report.text(result)
    assert "## The record" not in page
    assert "call / worklet" not in json.dumps(result["ratios"])


def test_a_busy_machine_is_told(result):
    assert "was busy" not in report.text(result)
    result["settings"]["load_before"] = 9.5
    assert "was busy before the run (load 9.5)" in report.text(result)
