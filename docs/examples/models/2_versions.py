"""Versions: deploy again, look, and roll back."""
# --8<-- [start:versions]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw

X, y = load_iris(return_X_y=True)
first = pw.deploy(LogisticRegression(C=0.1, max_iter=500).fit(X, y), "irises", sample_input=X[:1])
second = pw.deploy(LogisticRegression(C=10, max_iter=500).fit(X, y), "irises", sample_input=X[:1])
print(first.version, "->", second.version)
# --8<-- [end:versions]
