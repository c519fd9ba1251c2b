"""The tuner: from scores and labels to offsets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy, deepcopy
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from joblib import Parallel, delayed
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import is_dask
from skimbalance._core.scores import KINDS
from skimbalance._core.sklearn import Interval, StrOptions, forget_fit, validates_parameters
from skimbalance._core.typing import ArrayLike, Kind, Label
from skimbalance._core.validation import abridged, by_label, check_scores
from skimbalance.estimation import ESTIMATES, in_turn, notes_on_shift, shift_to
from skimbalance.exceptions import caught_warnings, is_silent, names_page, silenced, warn_user
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.metrics.base import Metric
from skimbalance.solvers import OPTIMISERS, Search
from skimbalance.tuner._decisions import TunedDecisions
from skimbalance.tuner._goal import FitSpec
from skimbalance.tuner._multiclass import fit_classes
from skimbalance.tuner._multilabel import fit_labels
from skimbalance.tuner.chunks import fit_chunks
from skimbalance.tuner.label_objective import is_multilabel
from skimbalance.tuner.labels import Indicator, MultilabelMetric
from skimbalance.tuner.objective import Objective

__all__ = ["OffsetTuner"]

_Result = TypeVar("_Result")


class OffsetTuner(TunedDecisions, BaseEstimator):
    r"""Fit one additive offset per class, so that the shifted argmax is best by the metric you name.

    For log-scores :math:`s_{ik}` of sample i and class k the tuner finds offsets b, and predicts

    .. math:: \hat y_i = \operatorname{argmax}_k \,(s_{ik} + b_k)

    Fit it on scores of samples that the classifier was not trained on. The default is made to hold on new samples, and
    says how good it expects to be there; ``estimate="empirical"`` gives the optimum on the samples of the fit instead.

    Samples may carry several labels each, with an indicator as `y`: an offset is added to the log-odds of each label,
    and those above zero are predicted.

    Parameters
    ----------
    objective : str, metric, ImbalanceState, scorer, function or list of metrics, default="balanced_accuracy"
        What to optimise: a name from :func:`skimbalance.metrics.get_metric_names`, or a metric such as
        ``FBeta(2.0)`` or ``Cost(matrix)``. Or the mean predicted distribution to be reached, as an
        :class:`~skimbalance.goals.ImbalanceState`: that fixes every offset, so that constraints, `pos_label`,
        `estimate` and `solver` have no say.
        Or a scorer from :func:`~sklearn.metrics.make_scorer`, or a function ``f(y_true, y_pred)`` or
        ``f(y_true, y_pred, *, sample_weight)`` to be maximised, of which nothing but values is known; it sees a sample
        for each true and predicted label that occur together, with the weight of them all.
        Of several labels a name such as ``"f1_macro"``, ``"f1_micro"`` or ``"f1_samples"``; or a metric of two classes,
        ``"balanced_accuracy"`` or a cost, of which the mean over labels is meant; or a list with one for each label.
    constraints : sequence of AtLeast, AtMost or Near, default=()
        What must hold besides, such as ``AtLeast("recall", 0.9)``; see :mod:`skimbalance.goals`. With several labels
        for the label it names, or for each of them. Among the offsets
        that meet all of them the objective decides. If none do, those that miss by the least are taken, with a
        warning that says what can be reached.
    kind : {"proba", "log_proba", "logits"}, default="proba"
        What the scores are. It is never guessed.
    pos_label : label, default=None
        The positive class of two-class metrics; None takes that of a scorer or function with a `pos_label` of its own,
        and otherwise ``classes_[1]``.
    class_prior : array-like of shape (K,) or dict, default=None
        Share of each class among the samples to be predicted, in the order of `classes_` or by label, where it differs
        from that among the samples of the fit. Samples are weighted accordingly, so that objective, constraints and
        scores are those of the deployment. A class without samples is left out.
    estimate : {"robust", "empirical", "plugin"}, default="robust"
        ``"robust"`` is made for new samples: the mean of the optimum for calibrated soft labels and the median optimum
        over Bayesian bootstraps of labels half soft, with several classes each offset shrunk by its noise towards the
        best multiple of ``-log prior``, and all of them scaled down if they lose to no offsets on held-out samples:
        none are kept that lose one standard error or more. ``"empirical"`` optimises the metric on the samples given:
        for two classes the exact optimum, for more the best of several coordinate ascents, each line search exact. Few
        scores get random restarts, but not in the folds that `score_` is from. ``"plugin"`` does the same for
        calibrated soft labels, without restarts.
    solver : str or Search, default="auto"
        How to search: ``"auto"``, ``"coordinate_ascent"``, ``"differential_evolution"``, ``"direct"``, ``"powell"`` or
        ``"imbalance_state"``. ``"auto"`` is coordinate ascent, and differential evolution where nothing but values is
        known of the objective. It, ``"direct"`` and ``"powell"`` are SciPy's, and a
        :class:`~skimbalance.solvers.Search` gives them a budget and a callback. Half of the 2,000 evaluations, fewer
        beyond a million scores, they leave to cuts of one class after the other; for two classes all three try cuts
        alone, every one where there are fewer. They search once instead of bootstrapping, for the robust estimate with
        labels three quarters calibrated, if the objective takes `sample_weight`; and with a fourth of the
        evaluations in each fold.
        ``"imbalance_state"`` is Bias Adjustment as published, a baseline: it tries imbalance states coarse to fine and
        takes the one whose decisions are best on the samples of the fit, whatever `estimate` says; for two classes 45
        states. Cross-fitting judges it like any other.
    n_bootstraps : int, default=8
        How many bootstraps the robust estimate takes the median of, at least two; with several classes and more than
        400,000 scores it takes fewer.
    confidence_level : float or None, default=0.9
        Level of `score_interval_` and `offsets_interval_`. None computes no interval and, unless the robust estimate
        needs it anyway, no `score_` either: a fit is then a single search.
    n_jobs : int, default=None
        How many threads fit bootstraps and folds; the result is the same for any number.
    verbose : int, default=0
        Positive prints what is done.
    random_state : int, RandomState instance or None, default=None
        Seed of bootstraps, folds and random restarts. None is the seed 0: fits are repeatable by default.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, in the order of the columns of the scores.
    offsets_ : array of shape (K,)
        The offsets, which sum to zero, but for several labels; in the library, on the device and in the precision of
        the scores.
    multilabel_ : bool
        Whether samples carry several labels each; K is then the number of labels, and `threshold_` is an array (K,).
    threshold_ : float
        Binary only: ``classes_[1]`` is predicted where its probability is at least this, whatever `pos_label` is; see
        the notes. Zero where even zero is enough, infinity where not even one is.
    pos_label_ : label
        Binary only: the positive class of two-class metrics.
    score_ : float
        What the metric is expected to be on new samples: offsets are fitted on four fifths of the samples and judged on
        the fifth, for each in turn (thirds beyond 50,000 samples or a million scores), so that no sample is judged by
        offsets it helped to fit. In a geometric mean a class without a hit counts as half a hit: it would be zero on
        few samples, whatever is true.
    score_interval_ : tuple of float
        Within which bounds the metric is expected to be on as many new samples, with probability `confidence_level`.
    offsets_interval_ : array of shape (2, K)
        Confidence interval of each offset, by the jackknife over the folds.
        For an imbalance state `score_` and `in_sample_score_` are the largest absolute difference between the state and
        its target, `score_` that expected on as many new samples, from held-out folds; `score_interval_` is what
        it is expected to stay within where both these samples and the new ones are drawn at random.
    in_sample_score_ : float
        The metric that :meth:`predict` achieves on the samples of the fit, exactly. It is optimistic for new samples;
        see `score_`.
    untuned_score_ : float
        The metric on the samples of the fit without offsets; for an imbalance state its distance from the target.
    class_profile_ : ClassProfile
        Arrays (K,) `classes`, `support`, `recall_before`, `precision_before`, `recall_after` and `precision_after`: on
        the samples of the fit without offsets and with them, where `held_out` with those fitted on the other folds.
    n_iter_ : int
        Sweeps over the classes in the ascent that won; for the robust estimate, in that for soft labels. Evaluations
        where a solver of SciPy searched. Newton's
        steps for an imbalance state, states tried where the solver is ``"imbalance_state"``.
    notes_ : list of str
        Plain sentences on every automatic choice and every doubt.
    prior_shift_ : object
        From :meth:`adapt_to` only: the class priors that it has found, see there.

    Raises
    ------
    ValueError
        From :meth:`fit`, if scores are not what `kind` says, shapes or lengths do not match, fewer than two classes
        occur, a two-class metric meets more classes, or the objective is unknown or judges scores rather than
        decisions.

    Warns
    -----
    FewRowsWarning
        If a class has fewer than ten samples to tune on.
    UnreachableGoalWarning
        If no offsets meet the constraints.

    See Also
    --------
    TunedOffsetClassifierCV : Does this around a classifier, with out-of-fold scores.

    Notes
    -----
    Ties: in the binary case ``classes_[1]`` is predicted where its score is at least the threshold, as in
    scikit-learn's :class:`~sklearn.model_selection.FixedThresholdClassifier`; a label of several where its score is at
    least its threshold. Of more classes the argmax is predicted, of equal ones the first. ``classes_[0]`` is predicted
    where its probability is greater than ``1 - threshold_``, and so is a `pos_label` that comes first.

    :meth:`predict` compares the probability itself with the threshold: ``predict(p) == classes_[1]`` is
    ``p >= threshold_``, and of two columns ``p[:, 1] >= threshold_``, on every number of the precision of the fit.
    Of log-probabilities it compares the exponential. Of logits it compares log-odds with
    ``offsets_[0] - offsets_[1]``, and `threshold_` is :func:`scipy.special.expit` of that: ``expit(log_odds) >=
    threshold_`` says the same where it does not round to `threshold_` itself. Where `threshold_` has rounded to one,
    probabilities of one are told apart by that of ``classes_[0]``.

    Several labels, imbalance states and what a :class:`~skimbalance.solvers.Search` or ``"imbalance_state"`` looks for
    are tuned on the host; what is fitted and predicted goes back to where the scores are.

    Scores may lie on disk: with ``kind="logits"``, ``estimate="empirical"`` and ``confidence_level=None`` the search
    reads ``numpy.load(path, mmap_mode="r")`` in blocks, a few times over, and holds some fifth of it at 1,000 classes.
    A Dask array, chunked by samples, stays where it is: some two million scores are drawn, rare classes whole, and
    fitted in memory. With ``estimate="empirical"`` passes over all samples follow, up to the optimum of two classes, or
    to where no class of several gains by its offset alone. `in_sample_score_` and `class_profile_` count all samples,
    whatever the estimate; `score_` and the intervals are the sample's. Predictions are lazy.
    The soft labels of ``"plugin"`` are as large as the scores; each of the default's folds holds two thirds of the
    scores and soft labels for them, one and a half times the scores in all. :meth:`predict` holds one block.

    References
    ----------
    Narasimhan et al., *Consistent multiclass algorithms for complex metrics and constraints*, arXiv 2210.09695, 2022.
    Alexandari et al., *Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation*,
    arXiv 1901.06852, 2020. Rubin, *The Bayesian bootstrap*, Annals of Statistics 9, 1981. Bates, Hastie and Tibshirani,
    *Cross-validation: what does it estimate and how well does it do it?*, arXiv 2104.00673, 2021.

    Examples
    --------
    Probabilities of "yes" that are too low, in one sample of ten on the wrong side:

    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> rng = np.random.default_rng(0)
    >>> y = np.where(rng.random(500) < 0.1, "yes", "no")
    >>> proba = 1 / (1 + np.exp(3 - 2 * (y == "yes") - rng.normal(size=500)))
    >>> tuner = OffsetTuner("f1").fit(proba, y)
    >>> tuner.predict([0.1, 0.3])
    array(['no', 'yes'], dtype='<U3')
    >>> round(tuner.score_, 2), [round(bound, 2) for bound in tuner.score_interval_]
    (0.67, [0.46, 0.82])
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"scores": UNUSED, "sample_weight": True, "groups": True}
    __metadata_request__predict: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__predict_proba: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__transform: ClassVar[dict[str, Any]] = {"scores": UNUSED}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "objective": [str, Metric, ImbalanceState, MultilabelMetric, callable, list, tuple],
        "kind": [StrOptions(set(KINDS))],
        "pos_label": [object],
        "class_prior": ["array-like", Mapping, None],
        "constraints": [list, tuple],
        "estimate": [StrOptions(set(ESTIMATES))],
        "solver": [StrOptions({"auto", "coordinate_ascent", "imbalance_state", *OPTIMISERS}), Search],
        "n_bootstraps": [Interval(Integral, 2, None, closed="left")],
        "confidence_level": [Interval(Real, 0.0, 1.0, closed="neither"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        objective: Objective = "balanced_accuracy",
        *,
        constraints: Sequence[Constraint] = (),
        kind: Kind = "proba",
        pos_label: Label = None,
        class_prior: ArrayLike | Mapping[Label, float] | None = None,
        estimate: str = "robust",
        solver: str | Search = "auto",
        n_bootstraps: int = 8,
        confidence_level: float | None = 0.9,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.constraints = constraints
        self.kind = kind
        self.pos_label = pos_label
        self.class_prior = class_prior
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
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the offsets.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of samples that the classifier was not trained on, a column for each class in the order of `classes`;
            (n,) is the probability, log-probability or logit (log-odds) of the second class. NumPy, torch or any
            library of the array API; or a Dask array, see the notes of the class. Columns of a data frame go by label
            where their names are the classes, and by position where no name is a class. Of several labels (n, L), each
            column by itself such scores of a label being there; or a list of L arrays (n, 2).
        y : array-like of shape (n,), or indicator of shape (n, L)
            The label of each sample; or, dense or sparse, a one for each of several labels that a sample carries.
        classes : array-like of shape (K,), default=None
            The label of each column; None takes the sorted labels of `y`, which must then hold all of them, and of
            several labels the columns of `y` where it is a data frame, or else their numbers.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample; None gives each the weight one.
        groups : array-like of shape (n,), default=None
            Group of each sample, numbers or strings: samples of one group, such as those of one patient, are not
            independent. Folds keep groups whole, intervals and bootstraps draw groups instead of samples, and samples
            of one group and class count once where the number of samples matters. None means that all samples are
            independent.

        Returns
        -------
        OffsetTuner
            The fitted tuner itself.
        """
        return self._fit(scores, y, classes=classes, sample_weight=sample_weight, groups=groups)

    def _fit(
        self,
        scores: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        known: Indicator | None = None,
    ) -> Self:
        """Fit the offsets; with several labels, on the scores that are `known` (n, L)."""
        way = fit_chunks if is_dask(scores) else fit_labels if is_multilabel(y) else fit_classes
        if known is not None and not known.all():
            way = partial(fit_labels, known=known)
        fitted = way(self._goal(), scores, y, classes=classes, sample_weight=sample_weight, groups=groups)
        forget_fit(self)
        for name, value in fitted.attributes().items():
            setattr(self, name, value)
        return self

    def _goal(self) -> FitSpec:
        return FitSpec(
            objective=self.objective,
            constraints=self.constraints,
            kind=self.kind,
            pos_label=self.pos_label,
            class_prior=self.class_prior,
            estimate=self.estimate,
            solver=self.solver,
            n_bootstraps=self.n_bootstraps,
            confidence_level=self.confidence_level,
            seed=self._seed(),
            run=self._run,
            progress=self._progress,
        )

    def _seed(self) -> int:
        random_state = check_random_state(0 if self.random_state is None else self.random_state)
        return int(random_state.randint(2**31 - 1))

    def _run(self, jobs: Iterable[Callable[[], _Result]]) -> list[_Result]:
        """Call each of the independent `jobs`, on as many threads as `n_jobs` says."""
        pool = Parallel(n_jobs=self.n_jobs, prefer="threads")
        if pool.n_jobs == 1:
            return in_turn(jobs)
        # joblib's own `delayed`: that of scikit-learn replaces the warning filters of the process in each thread.
        call, config, silent = delayed(_called), get_config(), is_silent()
        return list(pool(call(job, config=config, silent=silent) for job in jobs))

    def _progress(self, message: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {message}", flush=True)

    @names_page
    def adapt_to(self, scores: ArrayLike) -> Self:
        """Return a tuner for the same goal on samples whose classes are more or less frequent; it needs no labels.

        Their shares are estimated, and offsets fitted to the samples of :meth:`fit` with these as `class_prior`: a
        class is taken to look as it did there. Where no shift is told from chance, the offsets stay as they are.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the samples to be predicted, of the kind that the tuner was fitted on; ten samples at the least.

        Returns
        -------
        OffsetTuner
            Another fitted tuner. Its `class_prior` is the one that its offsets are for. Its `prior_shift_` has
            arrays (K,) `before`, `estimated` and `by_decisions`, and the `interval` (2, K) of the estimate.

        Raises
        ------
        ValueError
            If scores are not what `kind` says, or too few.

        Warns
        -----
        UncertainShiftWarning
            If the change of class priors is not significant.

        Notes
        -----
        Expectation maximisation on calibrated probabilities (Saerens, Latinne and Decaestecker, Neural Computation 14,
        2002) is drawn back by what bootstraps tell to be noise. Beside it stands the estimate by decisions alone
        (Lipton, Wang and Smola, arXiv 1802.03916, 2018). For this :meth:`fit` keeps scores, labels and weights, and a
        pickle holds them: by reference, or a sample where scores are more than five million.

        Examples
        --------
        >>> import numpy as np
        >>> from skimbalance import OffsetTuner
        >>> rng = np.random.default_rng(0)
        >>> y, y_new = rng.random(1000) < 0.1, rng.random(1000) < 0.5
        >>> tuner = OffsetTuner("f1", kind="logits").fit(3 * y - 2 + rng.normal(size=1000), y)
        >>> adapted = tuner.adapt_to(3 * y_new - 2 + rng.normal(size=1000))
        >>> adapted.class_prior.round(1)
        array([0.5, 0.5])
        """
        check_is_fitted(self)
        if self.multilabel_:
            raise ValueError(
                "adapt_to is for one label a row, whose classes share out the rows; this tuner was fitted on several "
                f"labels a row, {abridged(self.classes_)}. Fit on rows like the new ones instead"
            )
        if is_dask(scores):
            raise TypeError("adapt_to takes scores in memory: some thousand rows tell the shares; got a Dask array")
        checked = check_scores(scores, kind=self.kind, n_classes=len(self.classes_))
        new = by_label(checked, scores, self.classes_)
        other, level = copy(self), 0.9 if self.confidence_level is None else self.confidence_level
        other.random_state = deepcopy(self.random_state)  # a generator is not to be moved on
        kept = self._kept
        shift = shift_to(
            new,
            kept=kept,
            kind=self.kind,
            n_classes=len(self.classes_),
            level=level,
            seed=other._seed(),
            run=self._run,
        )
        notes = notes_on_shift(shift, self.classes_, level=level)
        if shift.is_significant:
            other.class_prior = shift.prior
            y = self.classes_[kept.codes]
            openings = tuple(note.split(":")[0].rstrip(".") for note in self.notes_)
            with caught_warnings() as caught:
                other.fit(kept.scores, y, classes=self.classes_, sample_weight=kept.weights, groups=kept.groups)
            for message, category in caught:
                if not message.startswith(openings):  # it has not been said of the first fit
                    warn_user(message, category)
        other.notes_ = other.notes_ + notes
        other.prior_shift_ = shift
        return other


def _called(job: Callable[[], _Result], *, config: dict[str, Any], silent: bool) -> _Result:
    """Call a job in another thread as in the one that made it."""
    with config_context(**config), silenced(silent):
        return job()
