"""Ten lines: a model, a worklet around it, and the command that deploys the model."""
# --8<-- [start:readme]
import prefect_worklets as pw

NAMES = ["setosa", "versicolor", "virginica"]

@pw.node
def features(sepal: list[float], petal: list[float]) -> list[list[float]]:
    return [[*sepal, *petal]]

@pw.node
def species(classes: list[int]) -> dict[str, str]:
    return {"species": NAMES[classes[0]]}

@pw.worklet
def classify(sepal: list[float], petal: list[float]) -> dict[str, str]:
    return species(pw.model("iris")(features(sepal, petal)))

if __name__ == "__main__":
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    X, y = load_iris(return_X_y=True)
    pw.deploy(LogisticRegression(max_iter=500).fit(X, y), "iris", sample_input=X[:1])
# --8<-- [end:readme]
