"""The same small app in Gradio and in Streamlit. These files run in an environment of their own, not in ours."""
