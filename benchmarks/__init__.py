"""Scripts that measure quality and speed, run from the repository root: ``python -m benchmarks.FOLDER.SCRIPT``."""

import os

# Numeric libraries read the number of threads when they are imported, so this comes before any of them.
for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
