from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import httpx
import orjson
import pytest
from prefect_worklets.connectors.tables import Model, ModelVersion, Schedule, SubmittedRun, View
from prefect_worklets.flows.journal import RunRecord
from prefect_worklets.panel_views.publishing import publish

from .conftest import BASE_URL, Instance, model_rows, run_row, worklet_rows

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*191919}}'&"
PATHS = [
    "/console",
    "/console/worklets",
    "/console/worklets/greet",
    "/console/worklets/greet/edit",
    "/console/worklets/greet/nodes/compose",
    "/console/runs/good/nodes/compose",
    "/console/models",
    "/console/models/iris",
    "/console/runs",
    "/console/runs/good",
    "/console/runs/bad",
    "/console/views",
]
VOID = {"meta", "link", "input", "img", "br"}


class Outline(HTMLParser):
    """Checks nesting, and collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing at {self.getpos()}"


@pytest.fixture
def filled(pushed: Instance) -> Instance:
    pushed.add(*model_rows())
    publish(pushed.store, {"slug": "desk", "title": "The desk", "pages": [{"id": "main"}]})
    failure = {
        "title": "A node failed",
        "detail": "Node compose failed: no name.",
        "errors": [{"loc": ["person", "name"], "msg": "is empty", "fix": "Give one."}],
        "traceback": "File greetings.py, line 3",
    }
    pushed.add(
        run_row("good", input=b'{"person": {"name": "Ada"}}', output=b'{"text": "Hello"}'),
        run_row("bad", state="failed", error=failure, nodes=[["compose", "node", "failed", 1, 5, failure]]),
    )
    return pushed


class TestEveryPage:
    @pytest.mark.parametrize("path", PATHS)
    async def test_it_is_sound(self, filled: Instance, admin: httpx.AsyncClient, path: str) -> None:
        answer = await admin.get(path)
        assert answer.status_code == 200, answer.text
        outline = Outline(answer.text)
        assert [tag for tag, _ in outline.tags].count("h1") == 1
        ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        for tag, attributes in outline.tags:
            assert "style" not in attributes
            assert not any(name.startswith("on") for name in attributes)
            assert tag != "script" or attributes["src"].startswith("/console/static/")
            for name in ("for", "aria-labelledby"):
                assert attributes.get(name, ids[0]) in ids

    @pytest.mark.parametrize("path", [*PATHS, "/console/nothing", "/login", "/login/x"])
    async def test_headers(self, filled: Instance, admin: httpx.AsyncClient, path: str) -> None:
        headers = (await admin.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("path", [*PATHS, "/console/nothing"])
    async def test_a_stranger_is_sent_to_the_login(self, visitor: httpx.AsyncClient, path: str) -> None:
        answer = await visitor.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=%2Fconsole")

    @pytest.mark.parametrize("path", PATHS[:1] + PATHS[1:4:2] + ["/console/runs", "/console/views"])
    async def test_an_empty_instance(self, admin: httpx.AsyncClient, path: str) -> None:
        assert (await admin.get(path)).status_code == 200

    async def test_static_files_are_kept_for_good(self, admin: httpx.AsyncClient) -> None:
        page = (await admin.get("/console")).text
        (sheet,) = re.findall(r'href="(/console/static/console\.[0-9a-f]{12}\.css)"', page)
        answer = await admin.get(sheet)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"].startswith("text/css")
        assert (await admin.get("/console/static/console.css")).status_code == 404
        assert (await admin.get("/console/static/..%2fmount.py")).status_code in (303, 404)


class TestErrors:
    @pytest.mark.parametrize(
        "path", ["/console/models/no", "/console/worklets/no", "/console/runs/no", "/console/no/such/page"]
    )
    async def test_what_is_not_there(self, admin: httpx.AsyncClient, path: str) -> None:
        answer = await admin.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "Not found" in answer.text

    async def test_a_wrong_mark_is_a_page(self, admin: httpx.AsyncClient) -> None:
        answer = await admin.get("/console/runs?before=x")
        assert answer.status_code == 400
        assert "marks no page" in answer.text

    async def test_a_slash_too_many_is_forgiven(self, admin: httpx.AsyncClient) -> None:
        answer = await admin.get("/console/models/")
        assert (answer.status_code, answer.headers["location"]) == (307, "/console/models")

    async def test_a_failure_shows_no_traceback(self, instance: Instance, admin: httpx.AsyncClient) -> None:
        with instance.store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE run")
        answer = await admin.get("/console/runs")
        assert answer.status_code == 500
        assert "could not be made" in answer.text
        assert "Traceback" not in answer.text
        assert "sqlite" not in answer.text.lower()


class TestHostileTexts:
    async def test_they_stay_texts(self, instance: Instance, admin: httpx.AsyncClient) -> None:
        graph = {
            "name": "w" + HOSTILE.replace("/", ""),
            "description": HOSTILE,
            "nodes": [{"id": HOSTILE, "kind": HOSTILE}],
            "triggers": [{"on": HOSTILE, "schedule": HOSTILE}],
            "input_schema": {
                "type": "object",
                "description": HOSTILE,
                "properties": {HOSTILE: {"enum": [HOSTILE], "description": HOSTILE, "default": HOSTILE}},
            },
            "output_schema": {"properties": {HOSTILE: {"type": HOSTILE}}},
        }
        name = graph["name"]
        instance.add(*worklet_rows(graph))
        instance.add(
            Model(
                name="m" + HOSTILE.replace("/", ""),
                description=HOSTILE,
                labels={HOSTILE: HOSTILE},
                live_version=HOSTILE,
            ),
            ModelVersion(
                model_name="m" + HOSTILE.replace("/", ""),
                version=HOSTILE,
                bento_tag="x",
                status=HOSTILE,
                tier=HOSTILE,
                tier_reason=HOSTILE,
                error=HOSTILE,
                created_by=HOSTILE,
                manifest={"framework": HOSTILE, "packages": {HOSTILE: HOSTILE}, "metadata": {HOSTILE: [HOSTILE]}},
            ),
            View(slug=HOSTILE, title=HOSTILE),
            run_row(
                HOSTILE.replace("/", ""),
                worklet=name,
                state=HOSTILE,
                trigger=HOSTILE,
                principal=HOSTILE,
                input=orjson.dumps({HOSTILE: HOSTILE}),
                output=b"{broken" + HOSTILE.encode(),
                error={
                    "title": HOSTILE,
                    "detail": HOSTILE,
                    "errors": [{"loc": [HOSTILE], "msg": HOSTILE, "fix": HOSTILE}],
                },
                nodes=[[HOSTILE, HOSTILE, HOSTILE, 1, 2, {"detail": HOSTILE}], "x", [1], ["a", "b", "c", "d", "e"]],
            ),
        )
        paths = ["/console", "/console/worklets", "/console/models", "/console/runs", "/console/views"]
        encoded = httpx.URL(BASE_URL).copy_with(path="/console/worklets/" + name).raw_path.decode()
        paths += [encoded, encoded.replace("/worklets/w", "/models/m"), encoded.replace("/worklets/w", "/runs/")]
        for path in paths:
            answer = await admin.get(path)
            assert answer.status_code == 200, path
            assert "<script>" not in answer.text
            assert "<img src=x" not in answer.text
            assert str(7 * 191919) not in answer.text
            Outline(answer.text)

    async def test_an_error_page_escapes_the_address(self, admin: httpx.AsyncClient) -> None:
        answer = await admin.get("/console/%3Cscript%3Ealert(1)%3C/script%3E")
        assert "<script>alert" not in answer.text


class TestModelPage:
    async def test_it_says_what_serves(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        text = (await admin.get("/console/models/iris")).text
        for expected in (
            "1.0.1",
            "in-process",
            "small and pure Python",
            "4.21 kB",
            "scikit-learn",
            "an array of float64",
        ):
            assert expected in text
        assert "[[5.1,3.5,1.4,0.2]]" in text.replace("&#34;", '"')
        assert 'data-post="/api/models/iris/promote" data-body=\'{&#34;version&#34;' not in text
        assert 'data-body=\'{"version": "1.0.0"}\'' in text

    @pytest.mark.parametrize(("role", "sees"), [("viewer", False), ("operator", False), ("builder", True)])
    async def test_buttons_are_for_those_who_may(
        self, filled: Instance, visitor: httpx.AsyncClient, role: str, sees: bool
    ) -> None:
        _, cookies = filled.user("somebody", role)
        visitor.cookies.update(cookies)
        text = (await visitor.get("/console/models/iris")).text
        assert ("/promote" in text) is sees
        assert ("/rollback" in text) is sees

    async def test_a_model_without_a_version(self, instance: Instance, admin: httpx.AsyncClient) -> None:
        instance.add(Model(name="bare"))
        assert "No version yet" in (await admin.get("/console/models/bare")).text


class TestWorkletPage:
    async def test_it_shows_graph_form_and_snippets(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        text = (await admin.get("/console/worklets/greet")).text
        for expected in (
            "Greet a person.",
            "Graph of greet",
            'id="field-person-name"',
            'accept="image/*"',
            "client.worklets[",
            f"{BASE_URL}/api/worklets/greet/invoke",
            "In years",
            "/console/runs/good",
        ):
            assert expected in text

    @pytest.mark.parametrize(("role", "form"), [("viewer", False), ("operator", True)])
    async def test_trying_needs_an_operator(
        self, filled: Instance, visitor: httpx.AsyncClient, role: str, form: bool
    ) -> None:
        _, cookies = filled.user("somebody", role)
        visitor.cookies.update(cookies)
        text = (await visitor.get("/console/worklets/greet")).text
        assert ("data-try=" in text) is form
        assert ("needs the role operator" in text) is not form

    async def test_one_that_can_not_be_loaded_says_why(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        filled.registry.broken["greet"] = "No module named <torch>."
        assert "No module named &lt;torch&gt;." in (await admin.get("/console/worklets/greet")).text


class TestSchedules:
    async def test_all_and_those_of_a_worklet(
        self, filled: Instance, admin: httpx.AsyncClient, visitor: httpx.AsyncClient
    ) -> None:
        assert "No live worklet has a schedule" in (await admin.get("/console/schedules")).text
        due = 1_800_000_000_000_000  # 2027-01-15 08:00 UTC
        filled.add(
            Schedule(
                worklet="greet", number=0, cron="0 9 * * 5", timezone="Europe/Berlin", inputs={"n": 7}, due_us=due
            ),
            Schedule(worklet="other", number=1, cron="*/5 * * * *", paused=True, due_us=due),
        )
        text = (await admin.get("/console/schedules")).text
        for expected in ("At 09:00 on Friday", "Fri 15 Jan 2027, 09:00 CET", "{&#34;n&#34;: 7}", "paused"):
            assert expected in text, expected
        assert 'data-post="/api/schedules/greet/0"' in text
        assert 'aria-label="Resume other, Every fifth minute of every hour"' in text
        Outline(text)
        own = (await admin.get("/console/worklets/greet")).text
        assert "At 09:00 on Friday" in own
        assert "/api/schedules/other" not in own
        _, cookies = filled.user("onlooker", "operator")
        visitor.cookies.update(cookies)
        assert "/api/schedules/" not in (await visitor.get("/console/schedules")).text


class TestRunPages:
    async def test_one_run(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        text = (await admin.get("/console/runs/good")).text
        assert 'href="/console/runs/good/prefect"' in text
        assert "2.5 ms" in text
        assert "&#34;Ada&#34;" in text
        assert "box kind-node state-completed" in text

    async def test_a_run_and_those_that_it_called_lead_to_each_other(
        self, filled: Instance, admin: httpx.AsyncClient
    ) -> None:
        with filled.store.session() as session:
            session.add(run_row("child", parent="good", trigger="call"))
        assert 'href="/console/runs/child"' in (await admin.get("/console/runs/good")).text
        assert 'href="/console/runs/good"' in (await admin.get("/console/runs/child")).text

    async def test_a_time(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        now, hour = time.time_ns() // 1000, 3_600_000_000
        filled.add(*(run_row(f"ago-{hours}", started_us=now - hours * hour - hour // 2) for hours in (0, 5, 100)))
        for chosen, shown in (("hour", {0}), ("day", {0, 5}), ("week", {0, 5, 100}), ("", {0, 5, 100})):
            text = (await admin.get(f"/console/runs?time={chosen}")).text
            assert {hours for hours in (0, 5, 100) if f"/console/runs/ago-{hours}" in text} == shown, chosen
        assert (await admin.get("/console/runs?time=century")).status_code == 400

    async def test_what_is_under_way(
        self, filled: Instance, admin: httpx.AsyncClient, visitor: httpx.AsyncClient
    ) -> None:
        began = time.time_ns() // 1000 - 5_000_000
        for name, state in (
            ("going", "running"), ("asked", "waiting"), ("resting", "paused"), ("over", "completed"),
        ):  # fmt: skip
            filled.add(
                SubmittedRun(
                    id=name, worklet="greet", version=1, state=state, input=b'{"n": 1}', created_us=began,
                    started_us=began, principal={"id": "somebody"},
                )
            )  # fmt: skip
        filled.nodes["going"] = [
            ["compose", "node", "completed", 0, 1_000_000, None], ["add", "node", "running", 1_000_000, 0, None],
        ]  # fmt: skip
        text = (await admin.get("/console/runs")).text
        assert 'aria-label="Run going of greet"' in text
        assert 'aria-label="Run asked of greet"' in text
        assert 'aria-label="Run over of greet"' not in text
        only = (await admin.get("/console/runs?state=waiting")).text
        assert 'aria-label="Run asked of greet"' in only
        assert 'aria-label="Run going of greet"' not in only
        page = (await admin.get("/console/runs/going")).text
        for expected in ('data-follow="/api/runs/going/events"', 'data-post="/api/runs/going/cancel"', "so far"):
            assert expected in page
        assert "state-running" in page
        assert "data-replay=" not in page
        for name, there, not_there in (("going", "pause", "resume"), ("resting", "resume", "pause")):
            page = (await admin.get(f"/console/runs/{name}")).text
            assert f'data-post="/api/runs/{name}/{there}"' in page
            assert f'data-post="/api/runs/{name}/{not_there}"' not in page
        _, cookies = filled.user("onlooker", "operator")
        visitor.cookies.update(cookies)
        assert "going" not in (await visitor.get("/console/runs")).text
        assert (await visitor.get("/console/runs/going")).status_code == 404

    async def test_a_replay_stands_beside_what_it_repeats(
        self, filled: Instance, admin: httpx.AsyncClient, visitor: httpx.AsyncClient
    ) -> None:
        whole = {"input": b"{}", "worklet": "greet"}
        filled.add(
            run_row("then", output=orjson.dumps({"text": "<b>old</b>"}), **whole),
            run_row("now", output=orjson.dumps({"text": "new"}), trigger="replay", state="completed", **whole),
            SubmittedRun(id="now", worklet="greet", version=1, trigger="replay", retry_of="then", state="completed"),
        )
        text = (await admin.get("/console/runs/now")).text
        for expected in ('href="/console/runs/then"', "output/text", "&lt;b&gt;old&lt;/b&gt;", "diff-new"):
            assert expected in text
        assert 'data-replay="/api/runs/then/replay"' in (await admin.get("/console/runs/then")).text
        _, cookies = filled.user("onlooker", "operator")
        visitor.cookies.update(cookies)
        # Who may see the replay alone does not see the run of somebody else in it.
        filled.add(run_row("cut", input=None))
        assert 'data-replay="' not in (await admin.get("/console/runs/cut")).text
        assert (await visitor.get("/console/runs/now")).status_code == 404

    async def test_a_failed_run_tells_its_faults(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        text = (await admin.get("/console/runs/bad")).text
        for expected in ("Node compose failed: no name.", "<code>person.name</code>", "Give one.", "line 3"):
            assert expected in text

    async def test_the_way_to_prefect(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        filled.flow_runs["good"] = "f-1"
        answer = await admin.get("/console/runs/good/prefect")
        assert (answer.status_code, answer.headers["location"]) == (303, "http://127.0.0.1:4200/runs/flow-run/f-1")
        answer = await admin.get("/console/runs/bad/prefect")
        assert answer.status_code == 404
        assert "Prefect has no flow run" in answer.text

    async def test_filters_and_pages(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        filled.add(*(run_row(f"r{number:03}", worklet="greet", started_us=number) for number in range(120)))
        page = (await admin.get("/console/runs", params={"worklet": "greet"})).text
        seen = re.findall(r'href="/console/runs/([^"?]+)"', page)
        while following := re.search(r'href="(/console/runs\?[^"]*before=[^"]*)"', page):
            assert "worklet=greet" in following[1]
            page = (await admin.get(following[1].replace("&amp;", "&"))).text
            seen += re.findall(r'href="/console/runs/([^"?]+)"', page)
        assert len(seen) == len(set(seen)) == 122
        page = (await admin.get("/console/runs", params={"state": "failed"})).text
        assert re.findall(r'href="/console/runs/([^"?]+)"', page) == ["bad"]

    async def test_below_a_builder_one_sees_ones_own(self, filled: Instance, visitor: httpx.AsyncClient) -> None:
        user, cookies = filled.user("somebody", "operator")
        filled.add(run_row("mine", principal=user))
        visitor.cookies.update(cookies)
        for path in ("/console", "/console/runs", "/console/worklets/greet"):
            text = (await visitor.get(path)).text
            assert "/console/runs/mine" in text
            assert "/console/runs/good" not in text
        assert (await visitor.get("/console/runs/mine")).status_code == 200
        for path in ("/console/runs/good", "/console/runs/good/prefect"):
            assert (await visitor.get(path)).status_code == 404
        filled.add(run_row("mine-failed", principal=user, error={"detail": "x", "traceback": "secret code"}))
        assert "secret code" not in (await visitor.get("/console/runs/mine-failed")).text

    async def test_a_run_shows_before_the_store_has_it(self, filled: Instance, admin: httpx.AsyncClient) -> None:
        filled.recent.add(RunRecord("fresh", "greet", 1, "api", None, "completed", 1_000_000, 500))
        assert (await admin.get("/console/runs/fresh")).status_code == 200

    async def test_the_page_waits_for_one_that_is_being_recorded(self, admin: httpx.AsyncClient) -> None:
        answer = await admin.get("/console/runs/soon?wait=1")
        assert answer.status_code == 200
        assert 'http-equiv="refresh" content="1; url=/console/runs/soon?wait=2"' in answer.text
        for tries in ("16", "0", "x", "-1", "99999"):
            assert (await admin.get(f"/console/runs/soon?wait={tries}")).status_code == 404

    async def test_a_picture_is_shown_to_its_owner(self, filled: Instance, visitor: httpx.AsyncClient) -> None:
        user, cookies = filled.user("somebody", "builder")
        visitor.cookies.update(cookies)
        for owner in (user, "another"):
            file = filled.files.put(b"\x89PNG\r\n\x1a\n" + owner.encode(), content_type="image/png", owner=owner)
            filled.add(run_row(f"of-{owner}", output=orjson.dumps({"image": f"/api/files/{file.id}"})))
        assert '<img src="/api/files/' in (await visitor.get(f"/console/runs/of-{user}")).text
        assert '<img src="/api/files/' not in (await visitor.get("/console/runs/of-another")).text
