"""Input that is valid, and yet probably not what was meant."""

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import SkimbalanceWarning


def drawn(n_samples=300, *, rare=1, seed=0):
    """Log-odds of class one and labels; class `rare` has a fifth of the rows."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n_samples) < 0.2, rare, 1 - rare)
    return 2.5 * (y - 0.5) + rng.normal(size=n_samples), y


def said(tuner, *args, **options):
    """What a fit warns of, without the page."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tuner.fit(*args, **options)
    return [str(w.message) for w in caught if w.category is SkimbalanceWarning]


class TestPositiveClass:
    def test_the_majority_class_by_default_has_a_note(self):
        log_odds, y = drawn(rare=0)
        tuner = OffsetTuner("f1", kind="logits")
        (message,) = said(tuner, log_odds, y)
        assert "f1 is about 1, the second label and the majority class" in message
        assert "pos_label=0" in message
        assert any("the majority class" in note for note in tuner.notes_)

    @pytest.mark.parametrize("options", [{"pos_label": 1}, {"pos_label": 0}, {"objective": "f1_macro"}])
    def test_one_that_was_named_is_not(self, options):
        log_odds, y = drawn(rare=0)
        assert said(OffsetTuner(**{"objective": "f1", "kind": "logits"} | options), log_odds, y) == []

    def test_the_minority_class_has_no_note(self):
        assert said(OffsetTuner("f1", kind="logits"), *drawn()) == []


class TestOrder:
    def test_scores_of_the_other_class_have_a_note(self):
        log_odds, y = drawn()
        (message,) = said(OffsetTuner(kind="logits"), -log_odds, y)
        assert message.startswith("The scores of 1 are lower in its own samples than in those of 0")

    def test_not_where_the_user_has_named_the_columns(self):
        log_odds, y = drawn()
        assert said(OffsetTuner(kind="logits"), -log_odds, y, classes=[0, 1]) == []

    def test_uninformative_scores_have_no_note(self):
        rng = np.random.default_rng(0)
        for _ in range(20):
            assert said(OffsetTuner(kind="logits"), rng.normal(size=100), rng.integers(0, 2, 100)) == []


class TestColumnNames:
    @pytest.fixture
    def frame(self):
        pandas = pytest.importorskip("pandas")
        log_odds, y = drawn()
        proba = expit(log_odds)
        return pandas.DataFrame({"fine": 1 - proba, "fraud": proba}), np.where(y == 1, "fraud", "fine")

    def test_they_may_be_named_in_theirs(self, frame):
        proba, y = frame
        turned = OffsetTuner().fit(proba[["fraud", "fine"]], y, classes=["fraud", "fine"])
        np.testing.assert_allclose(turned.offsets_[::-1], OffsetTuner().fit(proba, y).offsets_, atol=1e-6)


class TestKind:
    def test_probabilities_for_logits_have_a_note(self):
        log_odds, y = drawn()
        proba = expit(log_odds)
        for scores in (proba, np.stack([1 - proba, proba], axis=1)):
            assert any("pass kind='proba'" in message for message in said(OffsetTuner(kind="logits"), scores, y))

    def test_logits_that_happen_to_be_small_are_not(self):
        log_odds, y = drawn()
        scores = np.stack([0.2 + 0 * log_odds, 0.1 * expit(log_odds)], axis=1)
        assert said(OffsetTuner(kind="logits"), scores, y) == []


class TestDecisions:
    def test_a_model_without_an_error_may_have_seen_the_samples(self):
        y = np.repeat([0, 1], [60, 20])
        tuner = OffsetTuner("f1").fit(np.where(y == 1, 0.9, 0.1), y)
        assert any("makes no error on these samples" in note for note in tuner.notes_)

    def test_one_class_for_every_sample(self):
        tuner = OffsetTuner("recall", kind="logits").fit(*drawn())
        assert any(note.startswith("Every sample is predicted as 1: recall alone") for note in tuner.notes_)

    def test_nothing_is_said_of_an_ordinary_fit(self):
        log_odds, y = drawn()
        calibrated = 2.5 * log_odds + np.log(0.2 / 0.8)  # classes are 2.5 apart, of variance one
        assert OffsetTuner("f1", kind="logits").fit(calibrated, y).notes_ == []


class TestCalibration:
    """Notes on scores for other class priors, and on wrong confidence, where either is large and significant."""

    def note(self, scores, y, **options):
        notes = OffsetTuner("balanced_accuracy", kind="logits", confidence_level=None, **options).fit(scores, y).notes_
        return " ".join(note for note in notes if note.startswith("The scores are"))

    def test_scores_of_balanced_training(self):
        log_odds, y = drawn()
        scores = 2.5 * log_odds + 2
        note = self.note(scores, y)
        assert f"for other class priors: the prior of 1 that they imply is {expit(scores).mean():.2g}," in note
        assert "its proportion is 0.19" in note
        labels = np.array(["no", "yes"])[y]
        assert "the prior of 'yes'" in self.note(scores, labels)

    @pytest.mark.parametrize(("factor", "word"), [(0.1, "underconfident"), (30.0, "overconfident")])
    def test_wrong_confidence(self, factor, word):
        rng = np.random.default_rng(0)
        y = np.arange(600) % 3
        scores = 1.5 * np.eye(3)[y] + rng.normal(size=(600, 3))
        assert self.note(1.5 * scores, y) == ""
        note = self.note(factor * scores, y)
        assert f"The scores are {word}: their confidence in the predicted class is" in note
        assert f"{np.mean(scores.argmax(axis=1) == y):.0%} of the samples are correct" in note

    def test_few_or_weighted_samples_and_known_class_priors_have_none(self):
        log_odds, y = drawn()
        assert self.note(2.5 * log_odds[:19] + 2, y[:19]) == ""
        assert self.note(2.5 * log_odds + 2, y, class_prior=[0.5, 0.5]) == ""


def test_an_untrained_model_raises_an_error_with_the_remedy():
    clf = TunedOffsetClassifierCV(LogisticRegression(), cv="prefit")
    with pytest.raises(NotFittedError, match=r"cv='prefit' needs a trained estimator.*FrozenEstimator"):
        clf.fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize(("name", "meant"), [("mcc", "matthews_corrcoef"), ("f2", "FBeta"), ("sensitivity", "recall")])
def test_other_names_of_metrics_are_known(name, meant):
    with pytest.raises(ValueError, match=f"objective='{name}' is not a known metric; did you mean .?{meant}"):
        OffsetTuner(name).fit([0.1, 0.9], [0, 1])
