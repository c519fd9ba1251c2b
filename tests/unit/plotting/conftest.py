"""No window opens, and no figure outlives its test."""

import pytest


@pytest.fixture(autouse=True)
def canvas():
    """Pyplot without a window, all figures closed in the end; skips where there is no matplotlib."""
    pytest.importorskip("matplotlib").use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")
