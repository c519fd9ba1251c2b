"""What a fit needs beside its scores."""

import tracemalloc

import numpy as np
import pytest

from skimbalance import OffsetTuner
from skimbalance.estimation import _calibration

pytestmark = pytest.mark.no_cover  # what these cover others do too, and tracing counts as memory


@pytest.fixture(scope="module")
def logits():
    rng = np.random.default_rng(0)
    prior = 1 / np.arange(1, 1001)
    y = np.concatenate([np.arange(1000), rng.choice(1000, 19_000, p=prior / prior.sum())])
    scores = rng.standard_normal((20_000, 1000)) + np.log(prior)
    scores[np.arange(20_000), y] += 3
    return scores, y


def peak_of(act):
    """The most bytes that were held at a time."""
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    ("estimate", "most"),
    [
        ("empirical", 0.5),
        pytest.param("plugin", 1.5, marks=pytest.mark.exhaustive),
        pytest.param("robust", 1.7, marks=pytest.mark.exhaustive),
    ],
)
def test_a_thousand_classes_need_no_second_and_third_copy(logits, estimate, most, monkeypatch):
    # The robust estimate holds the scores of a fold and its soft labels, two thirds each; what else it needs grows less
    # than with the rows: in all 1.6 here, and 1.5 at 50,000 rows (benchmarks/speed/run.py).
    scores, y = logits
    monkeypatch.setattr(_calibration, "_CELLS", 2_000_000)  # a tenth of the scores, as of 50,000 rows
    tuner = OffsetTuner("f1_macro", kind="logits", estimate=estimate, confidence_level=None)
    assert peak_of(lambda: tuner.fit(scores, y)) < most * scores.nbytes
    assert peak_of(lambda: tuner.predict(scores)) < 0.5 * scores.nbytes


def test_scores_on_disk_are_read_in_blocks(logits, tmp_path):
    scores, y = logits
    np.save(tmp_path / "logits.npy", scores)
    mapped = np.load(tmp_path / "logits.npy", mmap_mode="r")
    tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None)
    assert peak_of(lambda: tuner.fit(mapped, y)) < 0.75 * scores.nbytes
    expected = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None).fit(scores, y)
    np.testing.assert_array_equal(tuner.offsets_, expected.offsets_)
    np.testing.assert_array_equal(tuner.predict(mapped), expected.predict(scores))
