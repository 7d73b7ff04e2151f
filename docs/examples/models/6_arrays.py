"""Arrays, into a model and back, without JSON."""
# --8<-- [start:arrays]
import numpy as np

import prefect_worklets as pw

lengths = np.random.default_rng(0).uniform(0, 7, size=(10_000, 4))
species = pw.Client().models["irises"].predict(lengths)
print(type(species).__name__, species.shape)
# --8<-- [end:arrays]
np.save("rows.npy", lengths[:3])
