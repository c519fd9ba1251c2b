"""The tuner: from scores and labels to offsets."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skimbalance._array_api import as_array, bring, device, namespace, to_numpy
from skimbalance._sklearn import StrOptions, forget_fit, validates_parameters
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
from skimbalance.metrics._base import Metric
from skimbalance.metrics._counts import Truth
from skimbalance.metrics._registry import get_metric
from skimbalance.scores import KINDS, log_scores
from skimbalance.solvers import Problem, Solution, solve, with_absent_classes

__all__ = ["OffsetTuner", "bound_metric"]


class OffsetTuner(BaseEstimator):
    r"""Fit one additive offset per class, so that the shifted argmax is best by the metric you name.

    For log-scores :math:`s_{ik}` of row i and class k the tuner finds offsets b, and predicts

    .. math:: \hat y_i = \operatorname{argmax}_k \,(s_{ik} + b_k)

    Fit it on scores of rows that the classifier was not trained on. With two classes the offsets are the best there
    are on these rows; with more they are the best of several coordinate ascents, each line search exact.

    Parameters
    ----------
    objective : str or metric, default="balanced_accuracy"
        What to optimise: a name from :func:`skimbalance.metrics.get_metric_names`, or a metric such as
        ``FBeta(2.0)`` or ``Cost(matrix)``.
    kind : {"proba", "log_proba", "logits"}, default="proba"
        What the scores are. It is never guessed.
    pos_label : label, default=None
        The positive class of two-class metrics; None takes ``classes_[1]``.
    estimate : {"empirical"}, default="empirical"
        ``"empirical"`` optimises the metric on the rows given.
    solver : {"auto", "coordinate_ascent"}, default="auto"
        How to search; ``"auto"`` is coordinate ascent.
    verbose : int, default=0
        Positive prints a line for each ascent.
    random_state : int, RandomState instance or None, default=None
        Seed of the random restarts that small problems with three classes or more are given. None is a fixed
        seed: fits are repeatable by default.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, in the order of the columns of the scores.
    offsets_ : array of shape (K,)
        The offsets, which sum to zero; in the library, on the device and in the precision of the scores.
    threshold_ : float
        Two classes only: the probability of ``classes_[1]`` above which it is predicted; minus infinity where even
        zero is enough. For logits, the logistic function of the log-odds above which it is.
    in_sample_score_ : float
        The metric that :meth:`predict` achieves on the rows of the fit, exactly. It is optimistic for new rows.
    n_iter_ : int
        Sweeps over the classes in the ascent that won.
    notes_ : list of str
        Plain sentences on every automatic choice and every doubt.

    Raises
    ------
    ValueError
        From :meth:`fit`, if scores are not what `kind` says, shapes or lengths do not match, fewer than two classes
        occur, a two-class metric meets more classes, or the objective is unknown or judges scores rather than
        decisions.

    See Also
    --------
    TunedOffsetClassifierCV : Does this around a classifier, with out-of-fold scores.

    References
    ----------
    Narasimhan et al., *Consistent multiclass algorithms for complex metrics and constraints*, arXiv 2210.09695, 2022.

    Examples
    --------
    >>> from skimbalance import OffsetTuner
    >>> proba = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.9, 0.1]]
    >>> tuner = OffsetTuner("f1").fit(proba, ["no", "no", "yes", "yes", "no"])
    >>> tuner.predict([[0.65, 0.35]])
    array(['yes'], dtype='<U3')
    >>> round(tuner.threshold_, 3), tuner.in_sample_score_
    (0.247, 1.0)
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"scores": UNUSED, "sample_weight": True}
    __metadata_request__predict: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__predict_proba: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__transform: ClassVar[dict[str, Any]] = {"scores": UNUSED}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "objective": [str, Metric],
        "kind": [StrOptions(set(KINDS))],
        "pos_label": [object],
        "estimate": [StrOptions({"empirical"})],
        "solver": [StrOptions({"auto", "coordinate_ascent"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        objective: str | Metric = "balanced_accuracy",
        *,
        kind: Kind = "proba",
        pos_label: Label = None,
        estimate: str = "empirical",
        solver: str = "auto",
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.kind = kind
        self.pos_label = pos_label
        self.estimate = estimate
        self.solver = solver
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
        columns = log_scores(x, kind=self.kind)
        solution, notes = self._solve(Problem(columns, truth, metric), labels)
        forget_fit(self)
        self.classes_ = labels
        self.offsets_ = solution.offsets
        self.in_sample_score_ = metric.value(solution.counts)
        self.n_iter_ = solution.n_iter
        self.notes_ = notes
        if len(labels) == 2:
            self.threshold_ = threshold_of(solution.offsets)
        return self

    def _solve(self, problem: Problem, labels: npt.NDArray[Any]) -> tuple[Solution, list[str]]:
        """Solve for the classes that have rows, and put the others at a neutral level."""
        support = to_numpy(problem.truth.support)
        kept = np.flatnonzero(support > 0)
        if len(kept) < 2:
            raise ValueError(
                f"y must hold at least two classes of positive sample_weight; got one class, {labels[kept].tolist()!r}"
            )
        seed = 0 if self.random_state is None else int(check_random_state(self.random_state).randint(2**31 - 1))
        if len(kept) == len(labels):
            return solve(problem, seed=seed, report=self._report), []
        solution = with_absent_classes(problem, kept, seed=seed, report=self._report)
        note = (
            f"No row of {abridged(labels[support <= 0])} to tune on: the other classes were tuned among themselves, "
            "and these are predicted for as many of the rows as without offsets."
        )
        return solution, [note]

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
