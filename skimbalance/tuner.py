"""The tuner: from scores and labels to offsets."""

from collections.abc import Callable, Iterable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeVar, cast
from warnings import warn

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skimbalance._array_api import as_array, bring, device, namespace, to_numpy
from skimbalance._sklearn import Interval, StrOptions, forget_fit, validates_parameters
from skimbalance._typing import Array, ArrayLike, Kind, Label
from skimbalance._validation import (
    abridged,
    check_label,
    check_labels,
    check_lengths,
    check_sample_weight,
    check_scores,
)
from skimbalance.decision import decide, shifted, softmax, threshold_of
from skimbalance.estimation import CrossFit, cross_fit, plugin, robust
from skimbalance.exceptions import FewRowsWarning
from skimbalance.metrics._base import Metric
from skimbalance.metrics._counts import HardTruth, Truth
from skimbalance.metrics._registry import get_metric
from skimbalance.scores import KINDS, log_scores
from skimbalance.solvers import Fit, Problem, Solution, among_present, solve

__all__ = ["OffsetTuner", "bound_metric"]

_Result = TypeVar("_Result")

_FEW_ROWS = 10
"""A class with fewer rows to tune on is warned about."""


class OffsetTuner(BaseEstimator):
    r"""Fit one additive offset per class, so that the shifted argmax is best by the metric you name.

    For log-scores :math:`s_{ik}` of row i and class k the tuner finds offsets b, and predicts

    .. math:: \hat y_i = \operatorname{argmax}_k \,(s_{ik} + b_k)

    Fit it on scores of rows that the classifier was not trained on. The default is made to hold on new rows, and says
    how good it expects to be there; ``estimate="empirical"`` gives the optimum on the rows of the fit instead.

    Parameters
    ----------
    objective : str or metric, default="balanced_accuracy"
        What to optimise: a name from :func:`skimbalance.metrics.get_metric_names`, or a metric such as
        ``FBeta(2.0)`` or ``Cost(matrix)``.
    kind : {"proba", "log_proba", "logits"}, default="proba"
        What the scores are. It is never guessed.
    pos_label : label, default=None
        The positive class of two-class metrics; None takes ``classes_[1]``.
    estimate : {"robust", "empirical", "plugin"}, default="robust"
        ``"robust"`` is made for new rows: the mean of the optimum for calibrated soft labels and the median optimum
        over Bayesian bootstraps of labels half soft, with several classes each offset shrunk by its noise towards the
        best multiple of ``-log prior``, and all of them towards zero as far as they lose to no offsets on held-out
        rows. ``"empirical"`` optimises the metric on the rows given: for two classes the exact optimum, for more
        the best of several coordinate ascents, each line search exact. ``"plugin"`` does so for calibrated soft labels.
    solver : {"auto", "coordinate_ascent"}, default="auto"
        How to search; ``"auto"`` is coordinate ascent.
    n_bootstraps : int, default=8
        How many bootstraps the robust estimate takes the median of; beyond 400,000 scores it takes fewer.
    confidence_level : float or None, default=0.9
        Level of `score_interval_` and `offsets_interval_`. None computes no interval and, unless the robust estimate
        needs it anyway, no `score_` either: a fit is then a single search.
    n_jobs : int, default=None
        How many threads fit bootstraps and folds; the result is the same for any number.
    verbose : int, default=0
        Positive prints a line for each search and each fold.
    random_state : int, RandomState instance or None, default=None
        Seed of bootstraps, folds and random restarts. None is the seed 0: fits are repeatable by default.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, in the order of the columns of the scores.
    offsets_ : array of shape (K,)
        The offsets, which sum to zero; in the library, on the device and in the precision of the scores.
    threshold_ : float
        Two classes only: the probability of ``classes_[1]`` above which it is predicted; minus infinity where even
        zero is enough. For logits, the logistic function of the log-odds above which it is.
    score_ : float
        What the metric is expected to be on new rows: offsets are fitted on four fifths of the rows and judged on the
        fifth, for each in turn (thirds beyond a million scores), so that no row is judged by offsets it helped to fit.
    score_interval_ : tuple of float
        Within which bounds the metric is expected to be on as many new rows, with probability `confidence_level`.
    offsets_interval_ : array of shape (2, K)
        Confidence interval of each offset, by the jackknife over the folds.
    in_sample_score_ : float
        The metric that :meth:`predict` achieves on the rows of the fit, exactly. It is optimistic for new rows; see
        `score_`.
    n_iter_ : int
        Sweeps over the classes in the ascent that won; for the robust estimate, in that for soft labels.
    notes_ : list of str
        Plain sentences on every automatic choice and every doubt.

    Raises
    ------
    ValueError
        From :meth:`fit`, if scores are not what `kind` says, shapes or lengths do not match, fewer than two classes
        occur, a two-class metric meets more classes, or the objective is unknown or judges scores rather than
        decisions.

    Warns
    -----
    FewRowsWarning
        If a class has fewer than ten rows to tune on.

    See Also
    --------
    TunedOffsetClassifierCV : Does this around a classifier, with out-of-fold scores.

    References
    ----------
    Narasimhan et al., *Consistent multiclass algorithms for complex metrics and constraints*, arXiv 2210.09695, 2022.
    Alexandari et al., *Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation*,
    arXiv 1901.06852, 2020. Rubin, *The Bayesian bootstrap*, Annals of Statistics 9, 1981. Bates, Hastie and Tibshirani,
    *Cross-validation: what does it estimate and how well does it do it?*, arXiv 2104.00673, 2021.

    Examples
    --------
    Probabilities of "yes" that are too low, in one row of ten on the wrong side:

    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> rng = np.random.default_rng(0)
    >>> y = np.where(rng.random(500) < 0.1, "yes", "no")
    >>> proba = 1 / (1 + np.exp(3 - 2 * (y == "yes") - rng.normal(size=500)))
    >>> tuner = OffsetTuner("f1").fit(proba, y)
    >>> tuner.predict([0.1, 0.3])
    array(['no', 'yes'], dtype='<U3')
    >>> f"{tuner.score_:.2f}, in the sample {tuner.in_sample_score_:.2f}"
    ''
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"scores": UNUSED, "sample_weight": True}
    __metadata_request__predict: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__predict_proba: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__transform: ClassVar[dict[str, Any]] = {"scores": UNUSED}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "objective": [str, Metric],
        "kind": [StrOptions(set(KINDS))],
        "pos_label": [object],
        "estimate": [StrOptions({"robust", "empirical", "plugin"})],
        "solver": [StrOptions({"auto", "coordinate_ascent"})],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0.0, 1.0, closed="neither"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        objective: str | Metric = "balanced_accuracy",
        *,
        kind: Kind = "proba",
        pos_label: Label = None,
        estimate: str = "robust",
        solver: str = "auto",
        n_bootstraps: int = 8,
        confidence_level: float | None = 0.9,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.kind = kind
        self.pos_label = pos_label
        self.estimate = estimate
        self.solver = solver
        self.n_bootstraps = n_bootstraps
        self.confidence_level = confidence_level
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @validates_parameters
    def fit(
        self,
        scores: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the offsets.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of rows that the classifier was not trained on, a column for each class in the order of `classes`;
            (n,) is the probability, log-probability or logit (log-odds) of the second class. NumPy, torch or any
            library of the array API.
        y : array-like of shape (n,)
            The label of each row.
        classes : array-like of shape (K,), default=None
            The label of each column; None takes the sorted labels of `y`, which must then hold all of them.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row; None gives each the weight one.

        Returns
        -------
        OffsetTuner
            The fitted tuner itself.
        """
        get_metric(self.objective)  # a wrong name fails first, whatever the scores
        x = check_scores(scores, kind=self.kind)
        check_lengths(scores=x, y=as_array(y))
        codes, labels = check_labels(y, classes=classes, n_classes=2 if x.ndim == 1 else x.shape[1])
        weights = check_sample_weight(sample_weight, like=x)
        metric = bound_metric(self.objective, labels, self.pos_label)
        xp = namespace(x)
        truth = Truth.from_codes(
            xp.asarray(codes, dtype=xp.int64, device=device(x)), n_classes=len(labels), weights=weights
        )
        problem = _weighing(Problem(log_scores(x, kind=self.kind), truth, metric))
        metric.check_support(problem.truth.support)
        fitted, notes = self._fit_offsets(problem, labels)
        forget_fit(self)
        self.classes_ = labels
        self.notes_ = notes
        for name, value in fitted.items():
            setattr(self, name, value)
        if len(labels) == 2:
            self.threshold_ = threshold_of(self.offsets_)
        return self

    def _fit_offsets(self, problem: Problem, labels: npt.NDArray[Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the fitted attributes, and notes on what was decided on the way."""
        random_state = check_random_state(0 if self.random_state is None else self.random_state)
        seed = int(random_state.randint(2**31 - 1))
        notes = _notes_on_support(problem, labels)
        fit = self._estimate(seed)
        if self.confidence_level is None and self.estimate != "robust":
            return _in_sample(problem, among_present(problem, fit)), notes
        crossed = cross_fit(problem, self._estimate(seed, fold=True), seed=seed, run=self._run, report=self._report)
        strength = crossed.strength() if self.estimate == "robust" else 1.0
        if strength < 1:
            fit = partial(_scaled, fit, strength)
            notes.append(f"Offsets were worse than none on held-out rows: they were scaled by {strength:.2f}.")
        solution = among_present(problem, fit)
        return _in_sample(problem, solution) | self._expected(crossed, solution, strength), notes

    def _estimate(self, seed: int, *, fold: bool = False) -> Fit:
        """Return the way from a problem to offsets that `estimate` names; in a fold a quicker one, which is silent."""
        report = None if fold else self._report
        if self.estimate == "plugin":
            return partial(plugin, report=report)
        if self.estimate == "empirical":
            return partial(solve, seed=seed, report=report)
        n_bootstraps = max(2, self.n_bootstraps // 4) if fold else self.n_bootstraps
        run = _in_turn if fold else self._run
        return partial(robust, n_bootstraps=n_bootstraps, seed=seed, run=run, report=report)

    def _expected(self, crossed: CrossFit, solution: Solution, strength: float) -> dict[str, Any]:
        """Return what is expected on new rows."""
        level = self.confidence_level
        score, interval = crossed.score(strength=strength, level=level)
        fitted: dict[str, Any] = {"score_": score}
        if level is not None:
            offsets = solution.offsets
            fitted["score_interval_"] = interval
            error = bring(strength * crossed.offsets_error(level=level), to=offsets, dtype=offsets.dtype)
            fitted["offsets_interval_"] = namespace(offsets).stack([offsets - error, offsets + error])
        return fitted

    def _run(self, jobs: Iterable[Callable[[], _Result]]) -> list[_Result]:
        """Call each of the independent `jobs`, on as many threads as `n_jobs` says."""
        pool = Parallel(n_jobs=self.n_jobs, prefer="threads")
        return _in_turn(jobs) if pool.n_jobs == 1 else list(pool(delayed(job)() for job in jobs))

    def _report(self, message: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {message}", flush=True)

    def predict(self, scores: ArrayLike) -> Array:
        """Predict the label of each row.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on.

        Returns
        -------
        array of shape (n,)
            The labels, in the library and on the device of the scores where they are numbers, as a NumPy array
            where they are not.
        """
        columns = self._columns(scores)
        codes = decide(columns, self.offsets_)
        if self.classes_.dtype.kind in "biuf":
            return bring(self.classes_, to=columns)[codes]
        return self.classes_[to_numpy(codes)]

    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return the softmax of the shifted log-scores, (n, K): proportional to ``proba * exp(offsets_)``.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on.

        Returns
        -------
        array of shape (n, K)
            Probabilities whose argmax is the prediction, but where two differ by less than rounding.
        """
        return softmax(self.transform(scores))

    def transform(self, scores: ArrayLike) -> Array:
        """Return the log-scores plus the offsets, (n, K); their argmax is the prediction.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on.

        Returns
        -------
        array of shape (n, K)
            Shifted log-scores.
        """
        columns = self._columns(scores)
        return shifted(columns, self.offsets_)

    def _columns(self, scores: ArrayLike) -> Array:
        check_is_fitted(self)
        return log_scores(check_scores(scores, kind=self.kind, n_classes=len(self.classes_)), kind=self.kind)


def _in_turn(jobs: Iterable[Callable[[], _Result]]) -> list[_Result]:
    return [job() for job in jobs]


def _scaled(fit: Fit, strength: float, problem: Problem) -> Solution:
    solution = fit(problem)
    return problem.solved(strength * solution.offsets, n_iter=solution.n_iter)


def _in_sample(problem: Problem, solution: Solution) -> dict[str, Any]:
    return {
        "offsets_": solution.offsets,
        "in_sample_score_": problem.metric.value(solution.counts),
        "n_iter_": solution.n_iter,
    }


def _weighing(problem: Problem) -> Problem:
    """Return the problem without the rows that weigh nothing."""
    weights = problem.truth.weights
    if weights is None or bool(namespace(weights).all(weights > 0)):
        return problem
    return problem.take(namespace(weights).nonzero(weights > 0)[0])


def _notes_on_support(problem: Problem, labels: npt.NDArray[Any]) -> list[str]:
    """Return what is to be said of classes without rows, and warn of those with few."""
    n_rows = np.bincount(to_numpy(cast(HardTruth, problem.truth).codes), minlength=len(labels))
    if np.count_nonzero(n_rows) < 2:
        one = labels[n_rows > 0].tolist()
        raise ValueError(f"y must hold at least two classes of positive sample_weight; got one class, {one!r}")
    notes = []
    if n_rows.min() == 0:
        notes.append(
            f"No row of {abridged(labels[n_rows == 0])} to tune on: the other classes were tuned among themselves, "
            "and these are predicted for as many of the rows as without offsets."
        )
    few = np.flatnonzero((n_rows > 0) & (n_rows < _FEW_ROWS))
    if few.size:
        counts = ", ".join(f"{labels[k].item()!r} has {n_rows[k]}" for k in few[np.argsort(n_rows[few])][:5])
        more = f" and {few.size - 5} more classes fewer than {_FEW_ROWS}" if few.size > 5 else ""
        notes.append(
            f"Few rows to tune on: {counts}{more}. So few say little about an offset, or a score that depends on it; "
            "look at offsets_interval_ and score_interval_, and tune on more rows of these classes if there are any."
        )
        warn(notes[-1], FewRowsWarning, stacklevel=5)
    return notes


def bound_metric(objective: str | Metric, labels: npt.NDArray[Any], pos_label: Label) -> Metric:
    """Return the metric that `objective` asks for over these classes, the positive one filled in."""
    metric = get_metric(objective)
    metric.check(len(labels))
    positive = 1 if pos_label is None else check_label("pos_label", pos_label, labels)
    if metric.two_class and metric.label is None and len(labels) != 2:
        raise ValueError(
            f"objective {metric.name!r} is about two classes; y holds {len(labels)}. Name an average over classes, "
            "such as 'f1_macro', 'balanced_accuracy' or 'geometric_mean'"
        )
    return metric.bind(positive)
