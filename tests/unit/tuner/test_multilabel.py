"""The tuner where rows carry several labels each."""

import pickle
import warnings
from functools import partial

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    jaccard_score,
    make_scorer,
    matthews_corrcoef,
    recall_score,
)
from support.effort import crossed, exhaustive, seeds
from support.label_oracles import drawn_problem, every_cut
from support.tuning import EXACT

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance.exceptions import FewRowsWarning, SkimbalanceWarning, UnreachableGoalWarning
from skimbalance.goals import AtLeast, AtMost, ImbalanceState
from skimbalance.metrics import Cost, FBeta

NAMES = ["ant", "bee", "cat", "dog"]


def mean(metric, y_true, y_pred, **options):
    """The mean over labels of a metric of two classes."""
    return np.mean([metric(*pair, **options) for pair in zip(y_true.T, y_pred.T, strict=True)])


def average(metric, how):
    return partial(metric, average=how, zero_division=0)


REFERENCE = {
    "balanced_accuracy": partial(mean, balanced_accuracy_score),
    "matthews_corrcoef": partial(mean, matthews_corrcoef),
    **{f"f1_{how}": average(f1_score, how) for how in ("macro", "micro", "weighted", "samples")},
    "jaccard_micro": average(jaccard_score, "micro"),
}


@pytest.fixture
def samples(rng):
    """Log-odds and an indicator."""
    log_odds, indicator = drawn_problem(rng, n_samples=250, n_labels=4)
    return log_odds, indicator.astype(int)


def fit(objective="f1_macro", *, scores, y, **parameters):
    return OffsetTuner(objective, **{"kind": "logits", **parameters}).fit(scores, y)


@pytest.mark.parametrize("name", ["f1_micro", "jaccard_micro", "f1_macro", "balanced_accuracy"])
@pytest.mark.parametrize("seed", seeds(4, quick=2))
def test_in_sample_it_is_the_best_of_all_offsets(name, seed):
    log_odds, indicator = drawn_problem(np.random.default_rng(seed), n_samples=12, n_labels=2, ties=seed % 2 == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewRowsWarning)
        tuner = fit(name, scores=log_odds, y=indicator, **EXACT)
    best = max(REFERENCE[name](indicator, log_odds + offsets > 0) for offsets in every_cut(log_odds))
    assert REFERENCE[name](indicator, tuner.predict(log_odds)) == pytest.approx(best)


@pytest.mark.parametrize(
    ("name", "estimate", "dtype"),
    crossed(list(REFERENCE), ["robust", "empirical", "plugin"], [np.float32, np.float64]),
)
def test_what_is_reported_is_what_predict_achieves(samples, name, estimate, dtype, rng):
    scores, y = samples[0].astype(dtype), samples[1]
    weights = rng.random(len(y))
    tuner = OffsetTuner(name, kind="logits", estimate=estimate).fit(scores, y, sample_weight=weights)
    achieved = REFERENCE[name](y, tuner.predict(scores), sample_weight=weights)
    assert tuner.in_sample_score_ == pytest.approx(achieved, abs=1e-12)
    assert tuner.untuned_score_ == pytest.approx(REFERENCE[name](y, scores > 0, sample_weight=weights), abs=1e-12)
    assert tuner.offsets_.dtype == dtype
    low, high = tuner.score_interval_
    assert low <= tuner.score_ <= high
    assert (tuner.offsets_interval_[0] <= tuner.offsets_).all()


def test_the_default_objective_is_the_mean_over_labels(samples):
    scores, y = samples
    default, named = (OffsetTuner(*name, kind="logits").fit(scores, y) for name in ((), ("balanced_accuracy",)))
    assert default.in_sample_score_ == pytest.approx(mean(balanced_accuracy_score, y, default.predict(scores)))
    np.testing.assert_array_equal(default.offsets_, named.offsets_)


def test_it_holds_on_unseen_data_as_expected(rng):
    prior = np.array([0.4, 0.2, 0.1, 0.05, 0.03])
    y, y_new = (rng.random((3000, 5)) < prior for _ in range(2))
    scores, new = (2 * t + logit(prior) - 1 + rng.normal(size=t.shape) for t in (y, y_new))
    tuner = fit("f1_macro", scores=scores, y=y)
    reached = f1_score(y_new, tuner.predict(new), average="macro")
    assert tuner.score_interval_[0] <= reached <= tuner.score_interval_[1]
    assert reached > f1_score(y_new, new > 0, average="macro", zero_division=0) + 0.05


FORMS = {
    "bool": np.ndarray.astype,
    "float": lambda y, _: y.astype(float),
    "list": lambda y, _: y.tolist(),
    "csr": lambda y, _: sparse.csr_matrix(y),
    "csc array": lambda y, _: sparse.csc_array(y),
    "coo": lambda y, _: sparse.coo_matrix(y),
    "frame": lambda y, _: pytest.importorskip("pandas").DataFrame(y),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_indicator(samples, form):
    scores, y = samples
    other = fit("f1_micro", scores=scores, y=FORMS[form](y, bool))
    np.testing.assert_array_equal(other.offsets_, fit("f1_micro", scores=scores, y=y).offsets_)


def pairs(proba):
    return [np.column_stack([1 - column, column]) for column in proba.T]


def test_kinds_and_lists_of_pairs_agree(samples):
    odds, y = samples
    expected = fit(scores=odds, y=y)
    proba = expit(odds)
    log_pairs = [np.log(pair) for pair in pairs(proba)]
    for kind, scores in (
        ("proba", proba),
        ("log_proba", np.log(proba)),
        ("proba", pairs(proba)),
        ("log_proba", log_pairs),
        ("logits", log_pairs),
    ):
        tuner = fit(scores=scores, y=y, kind=kind)
        np.testing.assert_allclose(tuner.offsets_, expected.offsets_, atol=1e-6)
        np.testing.assert_array_equal(tuner.predict(scores), expected.predict(odds))


def test_methods_agree_and_are_what_they_say(samples):
    odds, y = samples
    tuner = fit(scores=expit(odds), y=y, kind="proba")
    decided = tuner.predict(expit(odds))
    assert decided.shape == y.shape
    assert decided.dtype == np.int64
    np.testing.assert_allclose(tuner.transform(expit(odds)), odds + tuner.offsets_)
    np.testing.assert_allclose(tuner.predict_proba(expit(odds)), expit(odds + tuner.offsets_))
    np.testing.assert_array_equal(tuner.predict_proba(expit(odds)) > 0.5, decided)
    np.testing.assert_array_equal(expit(odds) >= tuner.threshold_, decided)
    assert tuner.multilabel_
    assert tuner.threshold_.shape == tuner.offsets_.shape == tuner.classes_.shape == (4,)


def test_a_probability_is_never_certain(samples):
    tuner = fit(scores=samples[0], y=samples[1])
    proba = tuner.predict_proba(np.array([[-1e4, 1e4, 50.0, -50.0]], dtype=np.float32))
    assert ((proba > 0) & (proba < 1)).all()


def test_every_library(samples, xp):
    odds, y = samples
    scores = xp.asarray(odds, dtype=xp.float32)
    here, there = (fit("f1_micro", scores=each, y=y) for each in (odds.astype(np.float32), scores))
    for name in ("offsets_", "offsets_interval_", "threshold_"):
        found = getattr(there, name)
        assert type(found) is type(scores)
        np.testing.assert_array_equal(to_numpy(found), getattr(here, name))
    for method in ("predict", "predict_proba", "transform"):
        found = getattr(there, method)(scores)
        assert type(found) is type(scores)
        np.testing.assert_array_equal(to_numpy(found), getattr(here, method)(odds.astype(np.float32)))


def test_labels_have_names(samples):
    pd = pytest.importorskip("pandas")
    odds, y = samples
    named = OffsetTuner("f1_macro", kind="logits").fit(odds, y, classes=NAMES)
    framed = fit(scores=odds, y=pd.DataFrame(y, columns=NAMES))
    assert named.classes_.tolist() == framed.classes_.tolist() == NAMES
    assert fit(scores=odds, y=y).classes_.tolist() == [0, 1, 2, 3]
    turned = pd.DataFrame(odds, columns=NAMES)[NAMES[::-1]]
    refitted = fit(scores=turned, y=pd.DataFrame(y, columns=NAMES))
    np.testing.assert_array_equal(refitted.offsets_, framed.offsets_)
    np.testing.assert_array_equal(framed.predict(turned), framed.predict(odds))
    with pytest.raises(ValueError, match="classes must hold 4 distinct labels"):
        OffsetTuner("f1_macro", kind="logits").fit(odds, y, classes=["a", "a", "b", "c"])


def test_constraints_of_one_label_and_of_all(samples):
    odds, y = samples
    floors = [AtLeast("recall", 0.9, label="cat"), AtLeast("recall", 0.5)]
    tuner = OffsetTuner("precision_macro", kind="logits", constraints=floors, **EXACT).fit(odds, y, classes=NAMES)
    recall = (y & tuner.predict(odds)).sum(axis=0) / y.sum(axis=0)
    assert recall[2] >= 0.9
    assert recall.min() >= 0.5
    with pytest.raises(ValueError, match="label='cow' is not a class"):
        OffsetTuner("f1_macro", kind="logits", constraints=[AtLeast("recall", 0.9, label="cow")]).fit(odds, y)
    far = OffsetTuner("f1_macro", kind="logits", constraints=[AtLeast("f1", 0.99, label=1)])
    with pytest.warns(UnreachableGoalWarning, match="No offset of label 1 satisfies f1"):
        far.fit(odds, y)


def test_a_metric_for_each_label(samples):
    odds, y = samples
    cheap, dear = Cost([[0, 1], [1, 0]]), Cost([[0, 1], [20, 0]])
    each = fit([cheap, cheap, dear, dear], scores=odds, y=y)
    assert each.threshold_[2:].max() < each.threshold_[:2].min()
    clone(each)
    assert "a metric for each label" in str(each.report())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"objective": "f1"}, "objective 'f1' needs an average over labels, such as 'f1_macro'"),
        ({"objective": "f1_marco"}, "is not a known multilabel metric; there are 'balanced_accuracy'"),
        ({"objective": "imbalance_degree"}, "is not defined for multilabel targets; there are"),
        ({"objective": "roc_auc"}, "judges scores, not decisions"),
        ({"objective": "accuracy"}, "Use 'hamming'"),
        ({"objective": ImbalanceState("uniform")}, r"objective=ImbalanceState\(.*is for binary and multiclass targets"),
        ({"objective": make_scorer(f1_score)}, "objective=.*is for binary and multiclass targets"),
        ({"objective": f1_score}, "objective=.*is for binary and multiclass targets"),
        ({"objective": [FBeta(1.0)] * 3}, "a metric for each of 4 labels"),
        ({"objective": [FBeta(1.0, average="micro")] * 4}, "'f1_micro' is an average over them. Name 'f1'"),
        ({"objective": ["f1", "f1", "f1", Cost([[0, 1], [9, 0]])]}, "as of costs; got f1, f1, f1, "),
        ({"objective": FBeta(2.0)}, "'f2' needs an average over labels, such as one with average='macro'"),
        ({"pos_label": 1}, "pos_label=1 is for binary targets"),
        ({"class_prior": [0.5, 0.5]}, "class_prior=.*is for binary and multiclass targets"),
        ({"solver": "powell"}, "solver='powell' is for binary and multiclass targets"),
    ],
)
def test_goals_that_do_not_fit_are_refused(samples, parameters, message):
    tuner = OffsetTuner(**{"objective": "f1_macro", "kind": "logits", **parameters})
    with pytest.raises(ValueError, match=message) as caught:
        tuner.fit(*samples)
    assert caught.value.__notes__
    assert not vars(tuner).keys() - tuner.get_params().keys()


ODDS = np.random.default_rng(0).normal(size=(30, 3))
Y = np.random.default_rng(1).integers(0, 2, (30, 3))


@pytest.mark.parametrize(
    ("scores", "y", "message"),
    [
        (ODDS, Y + 1, "y must hold zeros and ones alone.*got 2"),
        (ODDS, Y.astype(str), "y must hold zeros and ones alone.*got '"),
        (ODDS, np.where(Y == 1, np.nan, 0), "y must not contain missing values; got nan"),
        (ODDS, Y[:, :1], r"y must have shape \(n,\)"),
        (ODDS, Y[:, :2], r"scores must have shape \(n, 2\).*got shape \(30, 3\)"),
        (ODDS[:, 0], Y, r"scores must have shape \(n, 3\).*got shape \(30,\)"),
        (ODDS[:20], Y, "equally many samples: scores has 20, y has 30"),
        ([ODDS[:, :2]] * 2, Y, r"scores must have shape \(n, 3\).*got shape \(30, 2\)"),
        ([ODDS] * 3, Y, r"entry 0 has shape \(30, 3\)"),
        ([ODDS[:, :2], ODDS[:9, :2], ODDS[:, :2]], Y, "equally many samples: entry 0 of scores has 30, entry 1"),
        (np.where(ODDS > 2, np.nan, ODDS), Y, "scores must not contain NaN"),
        (np.where(ODDS > 2, np.inf, ODDS), Y, "takes finite scores"),
        (ODDS.astype(str), Y, "scores must be numeric"),
        ([], Y, "scores must have shape"),
        (ODDS, [[0, 2], [1], []] * 10, "MultiLabelBinarizer makes an indicator"),
    ],
)
def test_hostile_samples(scores, y, message):
    with pytest.raises(ValueError, match=message):
        OffsetTuner("f1_macro", kind="logits").fit(scores, y)


def test_columns_have_their_names(samples):
    pd = pytest.importorskip("pandas")
    log_odds, y = samples
    numbered = pd.DataFrame(y, columns=[30, 10, 20, 0])
    tuner = fit(scores=log_odds, y=numbered, constraints=[AtLeast("recall", 1, label=20)])
    assert tuner.classes_.tolist() == [30, 10, 20, 0]
    assert recall_score(y[:, 2], tuner.predict(log_odds)[:, 2]) == 1
    named = fit(scores=log_odds, y=pd.DataFrame(y, columns=list("abcd")))
    turned = clone(named).fit(log_odds, pd.DataFrame(y, columns=list("abcd"))[list("dcba")], classes=list("abcd"))
    np.testing.assert_array_equal(turned.offsets_, named.offsets_)


def test_a_constraint_of_a_label_that_no_sample_carries(samples):
    log_odds, y = samples[0].copy(), samples[1].copy()
    y[:, 0], log_odds[:, 0] = 0, 1
    ceiling = AtMost("false_positive_rate", 0.1, label=0)
    with pytest.warns(
        UnreachableGoalWarning, match="Label 0 is carried by no sample: .*does not hold on these samples"
    ):
        fit(scores=log_odds, y=y, constraints=[ceiling])


@pytest.mark.parametrize("name", ["f1_micro", "f1_macro", "f1_samples"])
def test_a_single_sample(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tuner = fit(name, scores=np.array([[-1.0, 1.0]]), y=np.array([[1, 0]]))
    np.testing.assert_array_equal(tuner.offsets_interval_, np.zeros((2, 2)))


def test_no_score_of_few_samples_is_certain(rng):
    """If all decisions on validation folds are right, the interval of a mean over samples is still wider than zero."""
    right, held = 0, 0
    for _ in seeds(60, quick=15):
        y = (rng.random((50, 3)) < 0.5).astype(int)
        y[y.sum(axis=1) == 0, 0] = 1
        log_odds = 4 * (2 * y - 1) + 1.6 * rng.normal(size=y.shape)
        tuner = fit("f1_samples", scores=log_odds[:25], y=y[:25])
        if tuner.score_ == 1:
            right += 1
            held += tuner.score_interval_[0] <= f1_score(y[25:], tuner.predict(log_odds[25:]), average="samples")
    assert right > (20 if exhaustive else 4)
    assert held >= 0.9 * right


def test_probabilities_are_checked_label_by_label(samples):
    with pytest.raises(ValueError, match="kind='proba' takes probabilities"):
        fit(scores=samples[0], y=samples[1], kind="proba")
    tuner = fit(scores=expit(samples[0]), y=samples[1], kind="proba")  # rows need not sum to one
    with pytest.raises(ValueError, match=r"scores must have shape \(n, 4\)"):
        tuner.predict(expit(samples[0][:, :3]))
    with pytest.raises(ValueError, match="sum to one"):
        fit(scores=[np.full((250, 2), 0.4)] * 4, y=samples[1], kind="proba")


def test_labels_of_no_sample_and_of_few(samples):
    odds, y = samples[0], samples[1].copy()
    y[:, 0], y[:, 1] = 0, np.arange(len(y)) < 4
    with pytest.warns(FewRowsWarning, match="'bee' has 4"):
        tuner = OffsetTuner("f1_macro", kind="logits").fit(odds, y, classes=NAMES)
    assert tuner.offsets_[0] == 0
    assert any(note.startswith("No sample carries the labels of ['ant']") for note in tuner.notes_)


def test_suspicious_scores_have_a_warning_or_a_note(samples):
    odds, y = samples
    with pytest.warns(SkimbalanceWarning, match="logits are all between 0 and 1"):
        fit(scores=expit(odds), y=y)
    assert any("makes no error" in note for note in fit(scores=2.0 * y - 1, y=y).notes_)


@pytest.mark.parametrize("kind", ["proba", "log_proba"])
def test_classes_that_are_passed_as_labels(kind, rng):
    one_hot = np.eye(3, dtype=int)[rng.integers(0, 3, 60)]
    proba = rng.dirichlet(np.ones(3), 60)
    with pytest.warns(SkimbalanceWarning, match=r"pass y.argmax\(axis=1\)"):
        tuner = fit(scores=np.log(proba) if kind == "log_proba" else proba, y=one_hot, kind=kind)
    assert any(note.startswith("Each sample carries one label alone") for note in tuner.notes_)
    fit(scores=rng.random((60, 3)), y=one_hot, kind="proba")  # of labels each by itself nothing is said


def test_it_is_repeatable_pickled_and_cloned(samples):
    odds, y = samples
    tuner = fit("f1_samples", scores=odds, y=y)
    again = clone(tuner).fit(odds, y)
    np.testing.assert_array_equal(again.offsets_, tuner.offsets_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(tuner)).predict(odds), tuner.predict(odds))
    np.testing.assert_array_equal(fit("f1_samples", scores=odds, y=y, n_jobs=2).offsets_, tuner.offsets_)


def test_a_tuner_forgets_what_it_was_fitted_on(samples):
    odds, y = samples
    tuner = fit(scores=odds, y=y)
    tuner.fit(odds[:, 0], y[:, 0])
    assert not tuner.multilabel_
    assert tuner.predict(odds[:, 0]).shape == (len(y),)
    assert isinstance(tuner.threshold_, float)
    tuner.fit(odds, y)
    with pytest.raises(ValueError, match="adapt_to is for binary and multiclass targets") as caught:
        tuner.adapt_to(odds)
    assert caught.value.__notes__


def test_without_a_level_it_is_a_single_search(samples):
    tuner = fit("f1_micro", scores=samples[0], y=samples[1], **EXACT)
    assert not {"score_", "score_interval_", "offsets_interval_"} & vars(tuner).keys()


def test_the_report(samples, capsys):
    tuner = OffsetTuner("f1_macro", kind="logits", verbose=1).fit(*samples, classes=NAMES)
    assert "[OffsetTuner] f1_macro: 4 labels fitted" in capsys.readouterr().out
    report = tuner.report()
    assert report.title == "OffsetTuner, 4 labels"
    assert report.header == ("label", "samples", "offset", "interval", "threshold", "recall", "precision")
    rarest = int(samples[1].sum(axis=0).argmin())
    assert report.classes[0][0] == NAMES[rarest]
    assert report.classes[0][4] == f"{tuner.threshold_[rarest]:#.3g}"
    assert "the smallest label first" in str(report)
    two = fit(scores=samples[0][:, :2], y=samples[1][:, :2]).report()
    assert not {"positive class", "Threshold"} & dict(two.facts).keys()
