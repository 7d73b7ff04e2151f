"""A button, a function, a text, in Streamlit."""

import streamlit


def answer(count: int) -> str:
    return f"Answer {count}"


streamlit.title("Count")
streamlit.session_state.setdefault("count", 0)
if streamlit.button("Ask"):
    streamlit.session_state.count += 1
streamlit.write(answer(streamlit.session_state.count))
