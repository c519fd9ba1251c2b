"""Fixtures that several tests share."""

import os
from pathlib import Path

import numpy as np
import pytest

NAMESPACES = ("numpy", "array_api_strict", "torch")


@pytest.fixture(params=NAMESPACES)
def xp(request):
    """Each array library in turn, those that are not installed skipped."""
    return pytest.importorskip(request.param)


@pytest.fixture
def rng():
    """A generator that starts anew for each test."""
    return np.random.default_rng(0)


@pytest.fixture(scope="class")  # of a class of tests, or of a single one; Hypothesis refuses "function"
def few_leaps():
    """Climb small problems again 4 times and not 48, where what is tested holds after any number of climbs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skimbalance.solvers._multi_start._MAX_LEAPS", 4)
        yield


@pytest.fixture(scope="session")
def data_folder():
    """The folder with real data sets: `SKIMBALANCE_DATA`, or `shared/data` beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKIMBALANCE_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set SKIMBALANCE_DATA")
    return folder
