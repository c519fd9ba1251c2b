"""Samples and fitted tuners for the tests of displays."""

import functools

import numpy as np
from scipy.special import expit, softmax

from skimbalance import OffsetTuner
from skimbalance.goals import AtLeast


def two(seed=0, n_samples=400):
    """Probabilities of "fraud", the minority class, and labels."""
    rng = np.random.default_rng(seed)
    rare = rng.random(n_samples) < 0.15
    return expit(2.5 * rare - 2.5 + rng.normal(size=n_samples)), np.where(rare, "fraud", "fine")


def several(seed=0, n_classes=4, n_samples=600):
    """Probabilities (n, K) and long-tailed labels, each class with samples."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, n_classes + 1)
    codes = np.concatenate(
        [
            np.arange(n_classes).repeat(2),
            rng.choice(n_classes, n_samples - 2 * n_classes, p=shares / shares.sum()),
        ]
    )
    scores = rng.normal(size=(n_samples, n_classes)) + np.log(shares)
    scores[np.arange(n_samples), codes] += 2
    return softmax(scores, axis=1), codes


@functools.cache
def tuner_of_two(**options):
    """A binary tuner with a lower bound."""
    return OffsetTuner("f1", estimate="plugin", constraints=[AtLeast("recall", 0.6)], **options).fit(*two())


@functools.cache
def tuner_of_several(n_classes=4):
    """A multiclass tuner."""
    return OffsetTuner("f1_macro", estimate="plugin").fit(*several(n_classes=n_classes))


@functools.cache
def tuner_that_rejects(n_classes=4):
    """A multiclass tuner that decides three quarters of the samples."""
    tuner = OffsetTuner("f1_macro", estimate="plugin", constraints=[AtLeast("coverage", 0.75)], reject_label=-1)
    return tuner.fit(*several(n_classes=n_classes))


HISTORY = (
    {"epoch": 1, "valid_f1_macro_untuned": 0.3, "valid_f1_macro_tuned": 0.5, "valid_f1_macro_tuned_best": True},
    {"epoch": 2, "valid_f1_macro_untuned": 0.4, "valid_f1_macro_tuned": 0.6, "valid_f1_macro_tuned_best": True},
    {"epoch": 3, "valid_f1_macro_untuned": 0.5, "valid_f1_macro_tuned": 0.55, "valid_f1_macro_tuned_best": False},
)
"""What is recorded of three epochs."""
