"""Fixtures that several tests share."""

# ruff: noqa: E402 - the number of threads is read as the numeric libraries are loaded

import os

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")  # the workers of pytest-xdist share the cores

import functools
import importlib
from pathlib import Path

import numpy as np
import pytest
from support import effort

NAMESPACES = ("numpy", "array_api_strict", "torch")


def pytest_addoption(parser):
    parser.addoption("--exhaustive", action="store_true", help="run every seed and every case of the enumerations")


def pytest_configure(config):
    """Set how much runs before test modules choose their seeds and parameters at import."""
    effort.exhaustive = config.getoption("exhaustive")


def pytest_collection_modifyitems(items):
    if not effort.exhaustive:
        for item in items:
            if item.get_closest_marker("exhaustive"):
                item.add_marker(pytest.mark.skip(reason="runs with --exhaustive"))


class OnDevice:
    """An array library whose arrays are made on another device than the default one."""

    _CREATE = frozenset({"arange", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros"})

    def __init__(self, library, device):
        self._library, self._device = library, device

    def __getattr__(self, name):
        found = getattr(self._library, name)
        return functools.partial(found, device=self._device) if name in self._CREATE else found


def library(name, device=None):
    """Return an array library, of which arrays are on the device that is named; skip where it is not installed."""
    found = pytest.importorskip(name)
    return found if device is None else OnDevice(found, found.Device(device))


@pytest.fixture(params=NAMESPACES)
def xp(request):
    """Each array library in turn, those that are not installed skipped.

    Arrays of array_api_strict are on its second device. NumPy refuses them, and so do arrays of the default device: a
    hidden copy to the host fails as it would on a GPU. What lies on the default device is tested in test_devices.py.
    """
    return library(request.param, "device1" if request.param == "array_api_strict" else None)


@pytest.fixture(autouse=True, scope="session")
def scores_stay_on_devices():
    """Search few scores on a device, too: otherwise no small test would search there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skimbalance._core.array_api._CELLS_ON_HOST", 0)
        yield


@pytest.fixture
def rng():
    """A generator that starts anew for each test."""
    return np.random.default_rng(0)


@pytest.fixture(scope="class")  # of a class of tests, or of a single one; Hypothesis refuses "function"
def few_restarts():
    """Start 4 random restarts on small problems in place of 48, for tests that hold for any number of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skimbalance.solvers._coordinate_ascent._MAX_RESTARTS", 4)
        yield


@pytest.fixture
def import_benchmark(monkeypatch):
    """A function that imports a module of benchmarks/, which is run from the root of the repository, not installed."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture(scope="session")
def data_folder():
    """The folder with real data sets: `SKIMBALANCE_DATA`, or `shared/data` beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKIMBALANCE_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set SKIMBALANCE_DATA")
    return folder
