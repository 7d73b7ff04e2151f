"""`GET /metrics` in the text format of Prometheus: models, worklets, the record, and the process.

Counters begin at zero with the process, as Prometheus expects. They cost the path of a request one addition.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .connectors.access import Role
from .connectors.meters import BOUNDS, Meter
from .flows.record_process import STATUS_FILE

if TYPE_CHECKING:
    from .parts import Parts

# The recorder writes its status each second; one older than this was left by a process that is gone.
_FRESH_SECONDS = 15.0


def metrics_routes(parts: Parts) -> list[BaseRoute]:
    """`/metrics`, for viewers (their key as a bearer token), or for anybody where `WORKLETS_OPEN_METRICS` is set."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkletsCollector(parts))
    ProcessCollector(registry=registry)

    async def metrics(request: Request) -> Response:
        if not parts.settings.open_metrics:
            await parts.guard(request, Role.viewer, "read the metrics")
        content = await asyncio.to_thread(generate_latest, registry)
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics, methods=["GET"])]


class WorkletsCollector(Collector):
    """Reads what the parts have counted."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        yield from self._models()
        yield from self._worklets()
        yield from self._record()
        ready = GaugeMetricFamily("worklets_ready", "1 once all that was live before is live again.")
        ready.add_metric([], float(self._parts.ready))
        yield ready

    def _models(self) -> Iterator[Metric]:
        labels = ["model", "version", "tier"]
        took = HistogramMetricFamily("worklets_model_seconds", "Answered predictions by duration.", labels=labels)
        failed = CounterMetricFamily(
            "worklets_model_failures", "Predictions without an answer, by what was raised.", labels=[*labels, "error"]
        )
        busy = GaugeMetricFamily("worklets_model_in_flight", "Predictions under way.", labels=labels)
        for slot in self._parts.router.slots():
            of = [slot.name, slot.version, slot.tier]
            _add(took, of, slot.served.answered)
            busy.add_metric(of, slot.in_flight)
            for error, count in list(slot.served.failed.items()):
                failed.add_metric([*of, error], count)
        yield from (took, failed, busy)
        distance = GaugeMetricFamily(
            "worklets_model_drift", "Distance of what a model is asked from its reference, 0 to 1.",
            labels=["model", "version", "feature"],
        )  # fmt: skip
        for found in self._parts.drift.latest():
            for feature in found["features"]:
                if feature["distance"] is not None:
                    distance.add_metric([found["model"], found["version"], feature["feature"]], feature["distance"])
        yield distance
        yield self._batches()
        yield self._shadows()

    def _batches(self) -> Metric:
        together = CounterMetricFamily(
            "worklets_model_batched", "Predictions that went to the model with others.", labels=["model", "version"]
        )
        for slot in self._parts.router.slots():
            gathered = slot.turns.batched if slot.turns is not None else 0
            if slot.batcher is not None:
                together.add_metric([slot.name, slot.version], slot.batcher.batched + gathered)
        return together

    def _shadows(self) -> Metric:
        seen = CounterMetricFamily(
            "worklets_shadow_requests", "Mirrored requests by what came of them.", labels=["model", "version", "result"]
        )
        for name in self._parts.router.names():
            traffic = self._parts.router.traffic(name)
            if traffic is not None and traffic.shadow is not None:
                counts = traffic.shadow.counts()
                for result in ("equal", "different", "failed", "dropped"):
                    seen.add_metric([name, traffic.shadow.version, result], counts[result])
        return seen

    def _worklets(self) -> Iterator[Metric]:
        took = HistogramMetricFamily(
            "worklets_run_seconds", "Runs answered over HTTP by duration.", labels=["worklet", "state"]
        )
        for (worklet, state), meter in self._parts.run_meters.items():
            _add(took, [worklet, state], meter)
        yield took

    def _record(self) -> Iterator[Metric]:
        journal = self._parts.journal
        yield _counter("worklets_journal_runs", "Runs written to the journal.", journal.appended)
        yield _counter("worklets_journal_dropped", "Runs that could not be written to the journal.", journal.dropped)
        status = self._status()
        alive = GaugeMetricFamily("worklets_recorder_up", "1 while the recorder's process runs.")
        alive.add_metric([], float(status is not None))
        yield alive
        if status is None:
            return
        ingest, prefect = status.get("ingest") or {}, status.get("prefect") or {}
        yield _counter("worklets_ingest_rows", "Runs taken from the journal into the store.", ingest.get("rows", 0))
        yield _counter("worklets_ingest_bad_lines", "Journal lines set aside as broken.", ingest.get("bad_lines", 0))
        if not prefect:
            return
        backlog = GaugeMetricFamily("worklets_recorder_backlog", "Runs in the store that wait for Prefect.")
        backlog.add_metric([], prefect.get("backlog") or 0)
        up = GaugeMetricFamily("worklets_prefect_up", "1 while Prefect's API answers the recorder.")
        up.add_metric([], float(bool(prefect.get("prefect_up"))))
        yield from (backlog, up)
        yield _counter("worklets_recorder_recorded", "Runs that Prefect has.", prefect.get("recorded", 0))
        yield _counter("worklets_recorder_artifacts", "Artifacts that Prefect has.", prefect.get("artifacts", 0))
        yield _counter(
            "worklets_recorder_artifacts_left_out", "Artifacts not sent.", prefect.get("artifacts_left_out", 0)
        )
        yield _counter("worklets_recorder_log_lines", "Log lines that Prefect has.", prefect.get("log_lines", 0))
        yield _counter(
            "worklets_recorder_log_lines_left_out", "Log lines not sent.", prefect.get("log_lines_left_out", 0)
        )
        yield _counter("worklets_recorder_sampled_out", "Runs left out by sampling.", prefect.get("sampled_out", 0))
        yield _counter("worklets_recorder_refused", "Runs that Prefect would not take.", prefect.get("refused", 0))

    def _status(self) -> dict[str, Any] | None:
        try:
            found: Any = orjson.loads((self._parts.data.run / STATUS_FILE).read_bytes())
            fresh = found["running"] and time.time() - found["time"] < _FRESH_SECONDS
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if fresh else None


def _add(family: HistogramMetricFamily, labels: list[str], meter: Meter) -> None:
    total, buckets = 0, []
    for bound, count in zip((*BOUNDS, float("inf")), list(meter.counts), strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
    family.add_metric(labels, buckets, meter.seconds)


def _counter(name: str, about: str, value: float) -> CounterMetricFamily:
    family = CounterMetricFamily(name, about)
    family.add_metric([], value)
    return family
