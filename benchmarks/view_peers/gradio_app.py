"""A button, a function, a text, in Gradio: `python gradio_app.py PORT`."""

import sys

import gradio


def answer(count: int) -> tuple[int, str]:
    return count + 1, f"Answer {count + 1}"


with gradio.Blocks(analytics_enabled=False, title="Count") as app:
    gradio.Markdown("# Count")
    count = gradio.State(0)
    button = gradio.Button("Ask")
    text = gradio.Markdown("Answer 0")
    button.click(answer, count, [count, text], api_name="ask")

app.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True, show_error=True)
