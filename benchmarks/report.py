"""The results as JSON with every raw figure, and as a page with tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .figures import Round, median, paired_ratio, quantile, summary

if TYPE_CHECKING:
    from .run import Figures

LABELS = {
    "worklet": "**prefect-worklets** (recorded, by key)",
    "fastapi-def": "FastAPI, `def`",
    "fastapi-async": "FastAPI, `async def`",
    "starlette": "Starlette + orjson, bare",
    "bentoml": "`bentoml serve`",
    "fixed-answer": "fixed bytes (the generator's limit)",
}
CALLS = {
    "call": "Prefect flow, called directly (async)",
    "call-sync": "Prefect flow, called directly (sync)",
    "deployment": "Prefect, `run_deployment` on a served flow",
}
BASE = "fastapi-def"


def result(figures: Figures, machine: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Everything, ready for JSON."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
        "machine": machine,
        "ratios": ratios(figures.rounds, figures.prefect),
        "summaries": [asdict(summary(group)) for group in _groups(figures.rounds).values()],
        "prefect": {kind: _call_summary(latencies) for kind, latencies in figures.prefect.items()},
        "recorded": figures.recorded,
        "memory": {name: [asdict(w) for w in weights] for name, weights in figures.memory.items()},
        "memory_after": {name: [asdict(w) for w in weights] for name, weights in figures.memory_after.items()},
        "sent": figures.sent,
        "rounds": [r.as_dict() for r in figures.rounds],
        "prefect_latencies_ms": figures.prefect,
    }


def ratios(rounds: Sequence[Round], prefect: dict[str, list[float]]) -> dict[str, Any]:
    """Each subject against FastAPI with `def`, and Prefect against ours."""
    groups = _groups(rounds)
    made: dict[str, Any] = {}
    for name, concurrency in groups:
        if (BASE, concurrency) not in groups or name == "fixed-answer":
            continue
        for figure in ("p50", "p99", "rate"):
            ratio = paired_ratio(groups[name, concurrency], groups[BASE, concurrency], figure)
            made[f"{name} / {BASE}, {figure} at {concurrency}"] = asdict(ratio)
    if ("worklet", 1) in groups:
        ours = summary(groups["worklet", 1]).p50
        for kind, latencies in prefect.items():
            made[f"prefect {kind} / worklet, p50 at 1"] = {"median": median(latencies) / ours}
    return made


def text(result: dict[str, Any]) -> str:
    """The page, in Markdown; readable in a terminal as it is."""
    machine, settings = result["machine"], result["settings"]
    parts = [
        f"# Benchmark, {result['taken_at'][:10]}",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']} "
        f"{machine['kernel']}, {machine['python']}. Commit {machine['commit'] or 'unknown'}"
        f"{' with changes' if machine['uncommitted_changes'] else ''}. "
        f"{'Quick run' if settings['quick'] else 'Full run'}, {settings['took_s']:.0f} s.",
        "A worklet of three nodes (scale, LogisticRegression, name) on iris, against the same three steps elsewhere. "
        "Medians of interleaved rounds; in brackets the least and the most of the rounds. One process serves, "
        "pinned to one processor; the load generator has another.",
        _table(*_http_rows(result)),
    ]
    if settings["load_before"] > machine["cores"] / 4:
        busy = f"**The machine was busy before the run (load {settings['load_before']}): take this as a sketch.**"
        parts.insert(2, busy)
    if result["prefect"]:
        parts += ["## Prefect by itself", _table(*_prefect_rows(result))]
    if result["recorded"]:
        parts += ["## The record", _recorded(result["recorded"])]
    parts += ["## Memory in MB (PSS), before and after the load", _table(*_memory_rows(result))]
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    parts += [f"Packages: {versions}."]
    return "\n\n".join(parts) + "\n"


def write(result: dict[str, Any], page: str, folder: Path, what: str = "") -> list[Path]:
    """Write both files, named by what was measured, date and machine. A quick run never replaces a full one."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = "-quick" if result["settings"].get("quick") else ""
    stem = f"{what}{result['taken_at'][:10]}-{result['machine']['id']}{kind}"
    data, text_file = folder / f"{stem}.json", folder / f"{stem}.md"
    data.write_text(json.dumps(result, indent=1) + "\n")
    text_file.write_text(page)
    return [data, text_file]


def _groups(rounds: Sequence[Round]) -> dict[tuple[str, int], list[Round]]:
    groups: dict[tuple[str, int], list[Round]] = {}
    for one in rounds:
        groups.setdefault((one.subject, one.concurrency), []).append(one)
    return groups


def _call_summary(latencies: Sequence[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    return {
        "calls": len(ordered),
        "p50": quantile(ordered, 0.5),
        "p99": quantile(ordered, 0.99),
        "least": ordered[0],
        "most": ordered[-1],
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        _line(head, widths),
        "|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":") for i, width in enumerate(widths)) + "|",
    ]
    return "\n".join(lines + [_line(row, widths) for row in rows])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
    return "| " + " | ".join(padded) + " |"


def _http_rows(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["", "p50 at 1 ÷ FastAPI", "rate at 32 ÷ FastAPI", "p50 at 1, ms", "p99 at 1, ms", "req/s at 1",
            "p50 at 32, ms", "p99 at 32, ms", "req/s at 32"]  # fmt: skip
    by_key = {(s["subject"], s["concurrency"]): s for s in result["summaries"]}
    rows = []
    for name, label in LABELS.items():
        one, many = by_key.get((name, 1)), by_key.get((name, 32))
        if one is None or many is None:
            continue
        rows.append([
            label,
            _ratio(result["ratios"].get(f"{name} / {BASE}, p50 at 1")),
            _ratio(result["ratios"].get(f"{name} / {BASE}, rate at 32")),
            f"{one['p50']:.2f} ({one['p50_least']:.2f}-{one['p50_most']:.2f})",
            f"{one['p99']:.2f}",
            f"{one['rate']:,.0f}",
            f"{many['p50']:.1f} ({many['p50_least']:.1f}-{many['p50_most']:.1f})",
            f"{many['p99']:.1f}",
            f"{many['rate']:,.0f} ({many['rate_least']:,.0f}-{many['rate_most']:,.0f})",
        ])  # fmt: skip
    return head, rows


def _ratio(ratio: dict[str, float] | None) -> str:
    return "" if ratio is None else f"{ratio['median']:.2f} ({ratio['least']:.2f}-{ratio['most']:.2f})"


def _prefect_rows(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["", "p50 ÷ ours at 1", "p50, ms", "least-most, ms", "calls"]
    rows = []
    for kind, label in CALLS.items():
        calls = result["prefect"].get(kind)
        if calls is not None:
            ratio = result["ratios"].get(f"prefect {kind} / worklet, p50 at 1")
            rows.append([
                label,
                f"{ratio['median']:,.0f}" if ratio else "",
                f"{calls['p50']:,.0f}",
                f"{calls['least']:,.0f}-{calls['most']:,.0f}",
                str(calls["calls"]),
            ])  # fmt: skip
    return head, rows


def _recorded(recorded: dict[str, Any]) -> str:
    then, later = recorded["at_end_of_load"], recorded["later"]
    return (
        f"{recorded['sent']:,} runs were sent; the store has {later['in_store']:,} of them, and had "
        f"{then['in_store']:,} when the load ended. Prefect had {then['in_prefect']:,} then, and "
        f"{later['in_prefect']:,} after {recorded['waited_s']} s more ({recorded['to_prefect_per_s']} a second); "
        f"{later['sampled_out']:,} were left out as a sample, {later['waiting']:,} wait."
    )


def _memory_rows(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, label in LABELS.items():
        before, after = result["memory"].get(name), result["memory_after"].get(name, [])
        if before is None:
            continue
        rows.append([label, _megabytes(before), _megabytes(after)])
        if len(before) > 1:
            rows += [[f"· {weight['process']}", "", f"{weight['pss']:.0f}"] for weight in after]
    return ["", "before", "after"], rows


def _megabytes(weights: Sequence[dict[str, Any]]) -> str:
    return f"{sum(weight['pss'] for weight in weights):.0f}"
