"""Train a model, as in a notebook, and deploy it."""
# --8<-- [start:train]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

data = load_iris(as_frame=True)
model = LogisticRegression(max_iter=500).fit(data.data.to_numpy(), data.target)
# --8<-- [end:train]

# --8<-- [start:deploy]
import prefect_worklets as pw

pw.deploy(model, "flowers", sample_input=data.data.to_numpy()[:1])
# --8<-- [end:deploy]
