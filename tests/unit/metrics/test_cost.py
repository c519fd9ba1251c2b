"""Costs of any sign, through the tuner."""

import numpy as np
import pytest
from support.problems import labels, log_proba

from skimbalance import OffsetTuner
from skimbalance.metrics import Cost

pytestmark = pytest.mark.usefixtures("few_restarts")


def draw(seed, n_classes):
    rng = np.random.default_rng(seed)
    y = labels(rng, 40 + seed, n_classes)
    matrix = rng.normal(size=(n_classes, n_classes)).round(1) * 10.0 ** (seed % 4)
    return np.exp(log_proba(rng, y, n_classes, decimals=seed % 3 or None)), y, matrix, rng.random(len(y))


@pytest.mark.parametrize("estimate", ["robust", "empirical", "plugin"])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_what_is_reported_is_the_mean_cost(n_classes, estimate):
    for seed in range(4):
        scores, y, matrix, weights = draw(seed, n_classes)
        tuner = OffsetTuner(Cost(matrix), kind="logits", estimate=estimate)
        tuner.fit(np.log(scores), y, sample_weight=weights)
        paid = matrix[y, tuner.predict(np.log(scores))]
        assert tuner.in_sample_score_ == pytest.approx(np.average(paid, weights=weights))


def test_binary_problems_have_the_lowest_cost_of_all_cuts():
    for seed in range(100):
        scores, y, matrix, weights = draw(seed, 2)
        logits = np.log(scores)
        tuner = OffsetTuner(Cost(matrix), kind="logits", estimate="empirical", confidence_level=None)
        tuner.fit(logits, y, sample_weight=weights)
        margins = logits[:, 0] - logits[:, 1]
        cuts = np.append(np.unique(margins), np.inf)
        least = min(np.average(matrix[y, (margins < cut).astype(int)], weights=weights) for cut in cuts)
        assert tuner.in_sample_score_ == pytest.approx(least, abs=1e-9)
