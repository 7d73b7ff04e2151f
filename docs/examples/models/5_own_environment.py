"""A model in an environment of its own, and one in a process of its own."""
# --8<-- [start:environment]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw

X, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=500).fit(X, y)
# Or a list, such as ["scikit-learn==1.5.2"]. "installed" names what is installed where you are.
pw.deploy(model, "irises-apart", sample_input=X[:1], requirements="installed")
pw.deploy(model, "irises-alone", sample_input=X[:1], isolate=True, timeout=5)
# --8<-- [end:environment]
for name in ("irises-apart", "irises-alone"):
    print(pw.Client().models[name].details()["live"]["tier"])
