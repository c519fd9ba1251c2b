"""Multilabel methods of this package and of other libraries, behind one interface."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.multioutput import MultiOutputClassifier

from benchmarks.baselines._stored import StoredScores
from skimbalance import OffsetTuner, TunedOffsetClassifierCV

Floats = npt.NDArray[np.float64]
Indicator = npt.NDArray[np.bool_]
Decide = Callable[[Floats], npt.NDArray[np.generic]]
Fit = Callable[[Floats, Indicator, str], Decide]
"""Takes probabilities or features, labels, and the average, "macro" or "micro"; returns a function that decides."""

OURSELVES = "skimbalance"
AVERAGES = ("macro", "micro")


def ours(estimate: str) -> Fit:
    """Return this package with an estimate; the time includes that of the intervals."""

    def fit(proba: Floats, y: Indicator, average: str) -> Decide:
        return OffsetTuner(f"f1_{average}", kind="proba", estimate=estimate, random_state=0).fit(proba, y).predict

    return fit


def half(*_: object) -> Decide:
    """Predict labels with a probability above one half."""
    return lambda new: new > 0.5


def one_threshold(proba: Floats, y: Indicator, average: str) -> Decide:
    """Use the best of 1,000 thresholds for all labels."""
    grid = np.quantile(proba, np.linspace(0, 1, 1000))
    above = np.stack([_above(column, grid) for column in proba.T])
    true_positives = np.stack([_above(column[own], grid) for column, own in zip(proba.T, y.T, strict=True)])
    support = y.sum(axis=0)[:, None]
    if average == "micro":
        above, true_positives, support = (part.sum(axis=0, keepdims=True) for part in (above, true_positives, support))
    best = grid[np.argmax(np.mean(2 * true_positives / np.maximum(above + support, 1), axis=0))]
    return lambda new: new > best


def _above(proba: Floats, grid: Floats) -> npt.NDArray[np.int64]:
    """Return the number of probabilities above each threshold."""
    return len(proba) - np.searchsorted(np.sort(proba), grid, side="right")


def scikit_learn(proba: Floats, y: Indicator, _: str) -> Decide:
    """Tune each label separately for both averages, since scikit-learn has no other way."""
    tuners = [
        TunedThresholdClassifierCV(StoredScores().fit(None, None), scoring="f1", cv="prefit", refit=False).fit(
            column[:, None], own.astype(int)
        )
        for column, own in zip(proba.T, y.T, strict=True)
    ]
    return lambda new: np.column_stack([t.predict(c[:, None]) for t, c in zip(tuners, new.T, strict=True)])


def optimal_cutoffs(proba: Floats, y: Indicator, average: str) -> Decide:
    """Tune each label's threshold; for micro-F1 its multilabel method, which uses only the probabilities."""
    from optimal_cutoffs import dinkelbach_expected_fbeta_multilabel, get_optimal_threshold

    if average == "micro":
        found = dinkelbach_expected_fbeta_multilabel(proba, average="micro").thresholds
    else:
        pairs = zip(proba.T, y.T, strict=True)
        found = np.array([float(get_optimal_threshold(own.astype(int), p, metric="f1").threshold) for p, own in pairs])
    return lambda new: new > np.asarray(found)


def xcolumns(start: str) -> Fit:
    """Return Frank-Wolfe without a label budget, from one of its starts; its mixture is drawn for each sample."""

    def fit(proba: Floats, y: Indicator, average: str) -> Decide:
        from xcolumns import metrics
        from xcolumns.frank_wolfe import find_classifier_using_fw

        mixture = find_classifier_using_fw(
            y.astype(np.float32),
            proba.astype(np.float32),
            getattr(metrics, f"{average}_f1_score_on_conf_matrix"),
            k=0,
            init_classifier=start,
            skip_tn=True,
            seed=0,
        )
        return lambda new: mixture.predict(new.astype(np.float32), seed=1) > 0

    return fit


def calibrated(fit: Fit) -> Fit:
    """Return a method that gets calibrated probabilities; each label is calibrated on the tuning samples."""

    def fitted(proba: Floats, y: Indicator, average: str) -> Decide:
        curves = [
            IsotonicRegression(out_of_bounds="clip").fit(column, own) for column, own in zip(proba.T, y.T, strict=True)
        ]

        def calibrate(new: Floats) -> Floats:
            return np.column_stack([curve.predict(column) for curve, column in zip(curves, new.T, strict=True)])

        decide = fit(calibrate(proba), y, average)
        return lambda new: decide(calibrate(new))

    return fitted


METHODS: dict[str, Fit] = {
    "threshold 0.5": half,
    "one threshold": one_threshold,
    "MultiOutputClassifier(TunedThresholdClassifierCV)": scikit_learn,
    "optimal_cutoffs": optimal_cutoffs,
    "optimal_cutoffs, calibrated": calibrated(optimal_cutoffs),
    "xCOLUMNs Frank-Wolfe": xcolumns("random"),
    "xCOLUMNs Frank-Wolfe, top start": xcolumns("top"),
    "xCOLUMNs Frank-Wolfe, calibrated": calibrated(xcolumns("random")),
    "skimbalance, empirical": ours("empirical"),
    "skimbalance, plugin": ours("plugin"),
    OURSELVES: ours("robust"),
}


def classifiers(model: BaseEstimator) -> dict[str, Fit]:
    """Return methods that train and tune copies of a model on the same samples, one for each label."""
    tuned = TunedThresholdClassifierCV(model, scoring="f1")
    each = MultiOutputClassifier(model)
    found = {
        "threshold 0.5": trained(lambda _: each),
        "MultiOutputClassifier(TunedThresholdClassifierCV)": trained(lambda _: MultiOutputClassifier(tuned)),
        OURSELVES: trained(lambda average: _offsets(each, average)),
    }
    if isinstance(model, RandomForestClassifier):
        found["skimbalance, one forest for all labels"] = trained(lambda average: _offsets(model, average))
    return found


def trained(make: Callable[[str], BaseEstimator]) -> Fit:
    """Return the method of a classifier that is made for an average."""
    return lambda X, y, average: clone(make(average)).fit(X, y.astype(int)).predict


def _offsets(model: BaseEstimator, average: str) -> TunedOffsetClassifierCV:
    return TunedOffsetClassifierCV(model, objective=f"f1_{average}", random_state=0)
