"""A version beside the live one: a share of the requests, or a shadow."""
# --8<-- [start:beside]
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

import prefect_worklets as pw

X, y = load_iris(return_X_y=True)
tree = DecisionTreeClassifier(max_depth=2).fit(X, y)
challenger = pw.deploy(tree, "irises", sample_input=X[:1], version="2.0.0", live=False)

irises = pw.Client().models["irises"]
irises.shadow(challenger.version)  # hears what the live version is asked; callers see nothing of it
irises.split({challenger.version: 10})  # and answers every tenth request
print([(row["version"], row["percent"]) for row in irises.traffic()["versions"]])
# --8<-- [end:beside]
