from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import BadInput, NotFound
from prefect_worklets.connectors.tables import ModelVersion, View
from prefect_worklets.panel_views.console import queries as module
from prefect_worklets.panel_views.console.queries import HOUR_US, ConsoleQueries
from prefect_worklets.panel_views.publishing import publish

from .conftest import Instance, model_rows, run_row, worklet_rows

NOON = datetime(2025, 3, 4, 12, 30, tzinfo=UTC)


def at(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


class TestRuns:
    def test_pages_meet_without_gap_or_overlap(self, instance: Instance) -> None:
        # Three runs share each microsecond: the id settles their order.
        instance.add(*(run_row(f"{number:03}", started_us=1000 + number // 3) for number in range(20)))
        queries, seen, before = ConsoleQueries(instance.store), [], None
        while True:
            page = queries.runs(before=before, limit=7)
            seen += [line.id for line in page.lines]
            if page.following is None:
                break
            before = page.following
        assert seen == [f"{number:03}" for number in reversed(range(20))]

    def test_filters(self, instance: Instance) -> None:
        instance.add(
            run_row("a", worklet="one"),
            run_row("b", worklet="two", state="failed"),
            run_row("c", worklet="two", principal="somebody"),
        )
        queries = ConsoleQueries(instance.store)
        assert {line.id for line in queries.runs(worklet="two").lines} == {"b", "c"}
        assert [line.id for line in queries.runs(state="failed").lines] == ["b"]
        assert [line.id for line in queries.runs(principal="somebody").lines] == ["c"]

    @pytest.mark.parametrize("mark", ["x", "12", "-a", "9" * 30 + "-a", "²-a"])
    def test_a_mark_that_no_page_gave_is_refused(self, instance: Instance, mark: str) -> None:
        with pytest.raises(BadInput, match="marks no page"):
            ConsoleQueries(instance.store).runs(before=mark)

    def test_an_unknown_run(self, instance: Instance) -> None:
        with pytest.raises(NotFound, match="'nothing'"):
            ConsoleQueries(instance.store).run("nothing")


class TestActivity:
    def test_counts_by_hour(self, instance: Instance) -> None:
        instance.add(
            run_row("a", started_us=at(NOON)),
            run_row("b", started_us=at(NOON - timedelta(minutes=20)), state="failed"),
            run_row("c", started_us=at(NOON - timedelta(hours=1)), state="timed-out", principal="me"),
            run_row("d", started_us=at(NOON - timedelta(hours=24))),
        )
        activity = ConsoleQueries(instance.store).activity(now=NOON)
        assert len(activity.hours) == 24
        assert (activity.completed, activity.failed, activity.total, activity.more) == (1, 2, 3, False)
        assert [(hour.completed, hour.failed) for hour in activity.hours[-2:]] == [(0, 1), (1, 1)]
        assert activity.hours[-1].hour_us == at(NOON) // HOUR_US * HOUR_US
        assert ConsoleQueries(instance.store).activity("me", now=NOON).total == 1

    def test_it_stops_counting(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_COUNTED", 5)
        instance.add(*(run_row(str(number), started_us=at(NOON)) for number in range(9)))
        activity = ConsoleQueries(instance.store).activity(now=NOON)
        assert (activity.total, activity.more) == (5, True)


class TestLists:
    def test_models_with_their_live_version(self, instance: Instance) -> None:
        instance.add(*model_rows())
        (line,) = ConsoleQueries(instance.store).models()
        assert line.live is not None
        assert (line.model.name, line.live.version, line.versions) == ("iris", "1.0.1", 2)
        assert (line.framework, line.trouble) == ("sklearn", "")

    def test_models_whose_newest_version_failed(self, instance: Instance) -> None:
        for name, newest_failed in (("good", False), ("bad", True)):
            rows = model_rows(name)
            versions = [row for row in rows if isinstance(row, ModelVersion)]
            for hour, version in enumerate(versions):
                version.created_at = NOON + timedelta(hours=hour)
            # Of each model one failed; of the first another one came after it.
            versions[newest_failed].status = "failed"
            versions[newest_failed].error = "It has no weights."
            instance.add(*rows)
        bad, good = ConsoleQueries(instance.store).models()
        assert (good.model.name, good.trouble) == ("good", "")
        assert (bad.model.name, bad.trouble) == ("bad", "1.0.1: It has no weights.")

    def test_worklets_with_their_newest_run(self, instance: Instance) -> None:
        instance.add(*worklet_rows({"name": "greet", "nodes": [{"id": "a"}]}))
        instance.add(
            run_row("old", started_us=1), run_row("new", started_us=2), run_row("mine", started_us=0, principal="me")
        )
        (line,) = ConsoleQueries(instance.store).worklets()
        assert (line.nodes, line.versions) == (1, 1)
        assert line.last_run is not None
        assert line.last_run.id == "new"
        (line,) = ConsoleQueries(instance.store).worklets("me")
        assert line.last_run is not None
        assert line.last_run.id == "mine"

    @pytest.mark.parametrize(
        ("role", "slugs"),
        [(Role.viewer, ["open"]), (Role.operator, ["open"]), (Role.builder, ["open", "staff", "draft"])],
    )
    def test_views_by_who_may_open_them(self, instance: Instance, role: Role, slugs: list[str]) -> None:
        for slug, needed in (("open", "viewer"), ("staff", "builder")):
            publish(
                instance.store,
                {"slug": slug, "title": slug, "access": {"role": needed}, "pages": [{"id": "main"}]},
            )
        instance.add(View(slug="draft", title="Draft"))
        lines = ConsoleQueries(instance.store).views(Principal("u", "u", role))
        assert [line.slug for line in lines] == slugs

    def test_callers_have_names(self, instance: Instance) -> None:
        user, _ = instance.user("ada", "admin")
        instance.access.create_key("nightly")
        key = f"key:{instance.access.keys()[0].id}"
        found = ConsoleQueries(instance.store).caller_names([user, key, None, "gone"])
        assert found == {user: "ada", key: "nightly (key)"}

    def test_pictures_are_their_owners(self, instance: Instance) -> None:
        mine = instance.files.put(b"\x89PNG\r\n\x1a\n", content_type="image/png", owner="me")
        text = instance.files.put(b"hello", content_type="text/plain", owner="me")
        queries, wanted = ConsoleQueries(instance.store), {mine.id, text.id, "unknown"}
        assert queries.images(wanted, Principal("me", "me", Role.viewer)) == {mine.id}
        assert queries.images(wanted, Principal("you", "you", Role.builder)) == set()
        assert queries.images(wanted, Principal("boss", "boss", Role.admin)) == {mine.id}
