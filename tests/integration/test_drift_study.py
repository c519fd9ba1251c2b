"""The study of drift: its tests find drift where there is some, and none in samples of random order."""

from dataclasses import replace

import numpy as np
import pytest


@pytest.fixture
def drift(import_benchmark):
    """Return the script, which is run from the root of the repository."""
    return import_benchmark("studies.drift")


def problem(drift, *, seed=0, n_classes=2):
    rng = np.random.default_rng(seed)
    prior = np.arange(n_classes, 0, -1.0) ** 2
    y, y_test = (rng.choice(n_classes, 800, p=prior / prior.sum()) for _ in range(2))
    scores, scores_test = (
        rng.standard_normal((800, n_classes)) + 2 * np.eye(n_classes)[codes] for codes in (y, y_test)
    )
    return drift.TuningProblem("simulated", "none", seed, scores, y, scores_test, y_test)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_samples_in_random_order_have_no_drift(drift, n_classes):
    found = [drift.p_of_residuals(problem(drift, seed=k, n_classes=n_classes), np.arange(800)) for k in range(20)]
    assert min(found) > drift.LEVEL
    assert np.mean(np.array(found) < 0.5) <= 0.85


@pytest.mark.parametrize("n_classes", [2, 4])
def test_residuals_show_another_relation_of_scores_and_labels(drift, n_classes):
    simulated = problem(drift, n_classes=n_classes)
    scores = simulated.scores.copy()
    scores[400:, 0] += 2
    assert drift.p_of_residuals(replace(simulated, scores=scores), np.arange(800)) < drift.LEVEL


def test_drifting_order_has_each_sample_once_and_more_of_the_minority_class_at_the_end(drift):
    y = (np.random.default_rng(0).random(1000) < 0.1).astype(np.int64)
    order = drift.with_drift(y, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert y[order[800:]].mean() == pytest.approx(2 * y[order[:800]].mean(), rel=0.1)


def test_mixture_fits_other_class_priors_and_not_other_scores(drift):
    simulated = problem(drift, n_classes=3)
    kept = np.flatnonzero((simulated.y_test > 0) | (np.arange(800) < 300))
    shifted = replace(simulated, scores_test=simulated.scores_test[kept], y_test=simulated.y_test[kept])
    assert drift.p_of_fit(shifted) > drift.LEVEL
    assert drift.p_of_fit(replace(shifted, scores_test=2 * shifted.scores_test)) < drift.LEVEL


def test_distance_is_that_of_scipy_without_weights(drift):
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    one, other = rng.standard_normal(300).round(1), (0.2 + rng.standard_normal(200)).round(1)
    p = drift._kolmogorov(one, np.ones(300), other)
    assert p == pytest.approx(ks_2samp(one, other, method="asymp").pvalue, rel=0.2)
