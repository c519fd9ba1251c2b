"""What is kept of each class, before and after."""

import numpy as np
from numpy.testing import assert_allclose
from sklearn.metrics import precision_score, recall_score

from skimbalance.metrics.counts import ClassProfile, Truth


def test_ratios_are_those_of_scikit_learn_and_nan_where_there_are_none():
    rng = np.random.default_rng(0)
    y, before, after = rng.integers(0, 4, (3, 60))
    y[y == 3] = 0  # no rows of the last class
    after[after == 2] = 1  # no decision for the one before
    weights = rng.random(60)
    truth = Truth.from_codes(y, n_classes=4, weights=weights)
    profile = ClassProfile.from_counts(np.array(list("abcd")), before=truth.count(before), after=truth.count(after))
    asked = {"labels": range(4), "average": None, "sample_weight": weights, "zero_division": np.nan}
    assert_allclose(profile.support, np.bincount(y, weights, minlength=4))
    assert_allclose(profile.recall_before, recall_score(y, before, **asked))
    assert_allclose(profile.recall_after, recall_score(y, after, **asked))
    assert_allclose(profile.precision_before, precision_score(y, before, **asked))
    assert_allclose(profile.precision_after, precision_score(y, after, **asked))
    assert np.isnan(profile.recall_after[3])
    assert np.isnan(profile.precision_after[2])
