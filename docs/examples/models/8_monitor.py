"""Samples of what a model is asked: how many are kept, and what never is."""
# --8<-- [start:monitor]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw

X, y = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=500).fit(X, y)
watched = {"sensitive": ["sepal width (cm)"], "per_minute": 30, "days": 2}
pw.deploy(model, "irises-watched", sample_input=X[:5], monitor=watched)
pw.deploy(model, "irises-unwatched", sample_input=X[:5], monitor=False)
# --8<-- [end:monitor]
