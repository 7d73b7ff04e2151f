"""A class of your own as a model, and a function."""
# --8<-- [start:class]
import numpy as np

import prefect_worklets as pw


class Standardiser:
    """Anything with `predict` can be deployed. `load` runs once, when the server loads it."""

    def load(self) -> None:
        self.mean, self.deviation = np.array([5.8, 3.1]), np.array([0.8, 0.4])

    def predict(self, lengths: np.ndarray) -> np.ndarray:
        return (lengths - self.mean) / self.deviation


pw.deploy(Standardiser, "standardiser", sample_input=np.array([[5.1, 3.5]]))
# --8<-- [end:class]

# --8<-- [start:function]
def celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) / 1.8


pw.deploy(celsius, "celsius")
# --8<-- [end:function]
