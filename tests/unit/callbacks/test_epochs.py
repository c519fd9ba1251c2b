"""Offsets of an epoch: what they predict, how epochs are compared, and what they are stored as."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, hamming_loss
from support.problems import features

from skimbalance import OffsetTuner
from skimbalance.callbacks import TunedOffsets
from skimbalance.callbacks._epochs import as_rows, epoch_values, fit_epoch, is_better, score_offsets
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast

pytestmark = pytest.mark.usefixtures("few_restarts")


def samples(kind, *, dtype=np.float64):
    """Return logits with ties, and labels."""
    X, y = features(n_classes=2 if kind == "binary" else 3, n_samples=300)
    logits = np.round(X[:, :3].astype(dtype), 1)
    if kind == "binary":
        return logits[:, 1], y
    return (logits, y) if kind == "multiclass" else (logits - 1, (X[:, :3] > 1.2).astype(np.int64))


KINDS = ("binary", "multiclass", "multilabel")


def fitted(kind, objective="f1_macro", *, dtype=np.float64, **options):
    logits, labels = samples(kind, dtype=dtype)
    tuner = OffsetTuner(objective, kind="logits", estimate="plugin", **options)
    return fit_epoch(tuner, 1, logits, labels, warned=set()), logits, labels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decisions_are_those_of_the_tuner_after_json(kind, dtype):
    epoch, logits, _ = fitted(kind, dtype=dtype)
    stored = TunedOffsets.from_dict(json.loads(json.dumps(epoch.tuned(7).to_dict())))
    np.testing.assert_array_equal(stored.predict(logits), epoch.tuner.predict(logits))
    assert (stored.step, stored.epoch, stored.multilabel) == (7, 1, kind == "multilabel")
    assert stored.offsets.tolist() == epoch.tuner.offsets_.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_metric_of_fixed_offsets(kind):
    epoch, logits, labels = fitted(kind)
    tuned = epoch.tuned(0)
    none = OffsetTuner("f1_macro", kind="logits", estimate="empirical").fit(logits, labels).untuned_score_
    name, value, untuned = score_offsets(epoch.tuner, tuned, logits, labels)
    assert name == "f1_macro"
    assert value == pytest.approx(f1_score(labels, tuned.predict(logits), average="macro"))
    assert untuned == pytest.approx(none)


def test_a_multilabel_metric_without_a_namesake():
    epoch, logits, labels = fitted("multilabel", "hamming")
    _, value, _ = score_offsets(epoch.tuner, epoch.tuned(0), logits, labels)
    assert value == pytest.approx(1 - hamming_loss(labels, epoch.tuned(0).predict(logits)))


def test_an_epoch_that_satisfies_constraints_is_better():
    satisfying, *_ = fitted("binary", "precision", constraints=[AtLeast("recall", 0.5)])
    with pytest.warns(UnreachableGoalWarning):
        violating, *_ = fitted("binary", "precision", constraints=[AtLeast("accuracy", 1.0)])
    assert (satisfying.rank[0], violating.rank[0]) == (True, False)
    assert is_better(satisfying, violating)
    assert not is_better(violating, satisfying)
    assert not is_better(satisfying, satisfying)
    assert np.isnan(epoch_values(violating, constrained=True)[0])
    assert not np.isnan(epoch_values(violating, constrained=True)[1])


def test_a_smaller_value_may_be_better():
    epoch, *_ = fitted("binary", "false_positive_rate")
    assert epoch.tuned(0).merit == -epoch.tuned(0).score


def test_logits_that_are_not_finite():
    logits, labels = samples("multiclass")
    logits[3, 1] = np.nan
    epoch = fit_epoch(OffsetTuner(kind="logits"), 1, logits, labels, warned=set())
    assert epoch.tuned(0) is None
    assert np.isnan(epoch_values(epoch, constrained=False)).all()
    assert not is_better(epoch.tuned(0), None)


@pytest.mark.parametrize("offsets", [[1.0], [0.0, np.nan], [[0.0, 1.0]]])
def test_offsets_that_are_none(offsets):
    with pytest.raises(ValueError, match="offsets must be two or more finite numbers"):
        replace(fitted("binary")[0].tuned(0), offsets=offsets)


class TestRows:
    def test_columns_of_one(self):
        logits, labels = as_rows(np.zeros((3, 1)), np.array([[0.0], [1.0], [1.0]]), owner="This")
        assert logits.shape == labels.shape == (3,)
        assert labels.dtype == np.int64

    @pytest.mark.parametrize(
        ("logits", "labels"), [((3, 4, 2), (3, 4)), ((3,), (3, 2)), ((3, 2), (2,)), ((3, 2, 2, 2), (3,))]
    )
    def test_unsuitable_shapes(self, logits, labels):
        with pytest.raises(ValueError, match="This needs logits"):
            as_rows(np.zeros(logits), np.zeros(labels), owner="This")

    def test_labels_that_are_no_numbers_of_classes(self):
        with pytest.raises(ValueError, match="labels"):
            as_rows(np.zeros((2, 2)), np.array([0, -100]), owner="This")
