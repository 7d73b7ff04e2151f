"""A button, a worklet, a text: what is pushed to the measured instance."""

VIEW = {
    "slug": "count",
    "title": "Count",
    "state": [{"name": "asked", "default": {"count": 0, "text": "Answer 0"}}],
    "pages": [
        {
            "components": [
                {
                    "id": "ask",
                    "type": "button",
                    "properties": {"label": "Ask"},
                    "actions": {
                        "click": [
                            {
                                "do": "run_worklet",
                                "worklet": "count",
                                "into": "session.asked",
                                "input": {"count": {"state": "session.asked", "path": "count"}},
                            }
                        ]
                    },
                },
                {
                    "id": "text",
                    "type": "text",
                    "at": {"y": 2},
                    "bindings": {"text": {"state": "session.asked", "path": "text"}},
                },
            ]
        }
    ],
}

WORKLET = """import prefect_worklets as pw


@pw.node
def answer(count: int) -> dict[str, object]:
    return {"count": count + 1, "text": f"Answer {count + 1}"}


@pw.worklet
def count(count: int) -> dict[str, object]:
    return answer(count)
"""
