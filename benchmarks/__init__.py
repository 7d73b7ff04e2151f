"""Measures a recorded worklet against the same work in FastAPI, Starlette, BentoML and Prefect."""
