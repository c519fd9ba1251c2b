"""`OffsetTuner`: offsets from scores and labels."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from joblib import Parallel, delayed
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import is_dask
from skimbalance._core.decision import KINDS
from skimbalance._core.sklearn import (
    CallbackSupportMixin,
    FitTask,
    Interval,
    StrOptions,
    forget_fit,
    validates_parameters,
)
from skimbalance._core.typing import ArrayLike, Kind, Label
from skimbalance._core.validation import abridged, by_label, check_groups, check_scores, is_multilabel, names_page
from skimbalance.estimation import ESTIMATES, FitSpec, in_turn, notes_on_shift, shift_to
from skimbalance.exceptions import caught_warnings, is_silent, silenced, warn_user
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.metrics.base import Metric
from skimbalance.solvers import SOLVERS, Search
from skimbalance.tuner._decisions import TunedDecisions
from skimbalance.tuner._multiclass import fit_classes
from skimbalance.tuner.checks import Objective
from skimbalance.tuner.chunks import fit_chunks
from skimbalance.tuner.labels import Indicator, MultilabelMetric
from skimbalance.tuner.labels.fit import fit_labels
from skimbalance.tuner.rejection import split_constraints

__all__ = ["OffsetTuner"]

_Result = TypeVar("_Result")

_LINES = 10
"""With `verbose`, so many lines are printed for the parts of a task at most."""


class OffsetTuner(CallbackSupportMixin, TunedDecisions, BaseEstimator):
    r"""Fit one additive offset per class, so that the shifted argmax optimises a metric.

    For log-scores :math:`s_{ik}` of sample i and class k the tuner fits offsets b, and predicts

    .. math:: \hat y_i = \operatorname{argmax}_k \,(s_{ik} + b_k)

    Fit it on scores of samples that the classifier was not trained on. The default is designed for unseen data, and
    estimates its score there. With a multilabel indicator as `y`, an offset is added to the log-odds of each label.
    Labels with shifted log-odds of at least zero are predicted.

    Parameters
    ----------
    objective : str, metric, ImbalanceState, scorer, function or list of metrics, default="balanced_accuracy"
        The metric to optimise.

        - str: a name from :func:`skimbalance.metrics.get_metric_names`. For multilabel targets a name such as
          ``"f1_macro"``, ``"f1_micro"`` or ``"f1_samples"``; a binary metric stands for its mean over labels.
        - metric: an object such as ``FBeta(2.0)`` or ``Cost(matrix)``; ``Cost()`` with the `cost_matrix` of
          :meth:`fit` for costs that differ between samples.
        - :class:`~skimbalance.goals.ImbalanceState`: the mean predicted distribution. It determines every offset, so
          that `pos_label`, `estimate` and `solver` have no effect, and `constraints` raise an error.
        - scorer from :func:`~sklearn.metrics.make_scorer`, or function ``f(y_true, y_pred)`` or
          ``f(y_true, y_pred, *, sample_weight)`` to be maximised: a black-box metric. It gets one sample for each pair
          of true and predicted label that occurs, with their total weight.
        - list: for multilabel targets one binary metric for each label.
    constraints : sequence of AtLeast, AtMost or Near, default=()
        Bounds on metrics, such as ``AtLeast("recall", 0.9)``; see :mod:`skimbalance.goals`. For multilabel targets a
        constraint holds for the label it names, or for each label. If no offsets satisfy all constraints, those that
        miss by the least are taken, with a warning that states what is achievable. Bounds on ``"predicted_share"`` hold
        exactly on the samples of the fit, whatever `estimate` is. With a `reject_label` those on precision, accuracy
        and coverage are satisfied by rejection.
    reject_label : label, default=None
        The label that :meth:`predict` returns for rejected samples, such as ``"unsure"`` or -1. Constraints on
        ``"precision"``, ``"accuracy"`` and ``"coverage"``, the proportion of decided samples, then determine which
        samples are rejected; see the notes. None decides every sample.
    kind : {"proba", "log_proba", "logits"}, default="proba"
        The kind of the scores. It is never guessed.
    pos_label : label, default=None
        The positive class of binary metrics. None takes the `pos_label` of a scorer or function, or else
        ``classes_[1]``.
    class_prior : array-like of shape (K,) or dict, default=None
        Class prior of the data to be predicted, if it differs from that of the samples of the fit. In the order of
        `classes_`, or by label. Samples are weighted accordingly, in objective, constraints and scores. A class without
        samples is left out.
    estimate : {"robust", "empirical", "plugin"}, default="robust"
        How the offsets are estimated; see the notes.

        - ``"robust"``: for unseen data; averages the plug-in optimum and bootstraps, with shrinkage.
        - ``"empirical"``: the optimum of the metric on the samples of the fit.
        - ``"plugin"``: the optimum for calibrated soft labels.
    solver : str or Search, default="auto"
        How the offsets are searched for; see the notes.

        - ``"auto"``: coordinate ascent, and differential evolution for a black-box metric.
        - ``"coordinate_ascent"``: exact line searches, one class after the other.
        - ``"differential_evolution"``, ``"direct"``, ``"powell"``: an optimiser of SciPy. A
          :class:`~skimbalance.solvers.Search` also sets its budget and a callback.
        - ``"imbalance_state"``: Bias Adjustment as published, a baseline. `estimate` then has no effect.
    n_bootstraps : int, default=8
        Number of bootstraps of the robust estimate, at least two. Multiclass problems of more than 400,000 scores take
        fewer.
    confidence_level : float or None, default=0.9
        Level of `score_interval_` and `offsets_interval_`. None computes no interval and, unless the robust estimate
        needs it anyway, no `score_` either: a fit is then a single search.
    certify_on : float in (0, 1) or None, default=None
        Proportion of the samples, such as 0.3, on which multiclass constraints with a confidence are tested. Offsets
        are fitted on the others, and the confidence of bounds with exact tests is proven. None fits and tests on the
        same samples, and is approximate. Binary and multilabel problems do not need it.
    n_jobs : int, default=None
        Number of threads that fit bootstraps and folds. The result is the same for any number.
    verbose : int, default=0
        If positive, print a line for each fold, bootstrap or label with the number of all, such as ``fold 3/5``, and
        the value of the metric. Of more than ten parts each tenth of them has a line. `set_callbacks` shows
        progress bars.
    random_state : int, RandomState instance or None, default=None
        Seed of bootstraps, folds and random restarts. None is the seed 0: fits are repeatable by default.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, in the order of the columns of the scores.
    offsets_ : array of shape (K,)
        The offsets, in the library, on the device and in the precision of the scores. They sum to zero, except for
        multilabel targets.
    multilabel_ : bool
        Whether the targets are multilabel. K is then the number of labels, and `threshold_` is an array (K,).
    threshold_ : float
        Binary only: ``classes_[1]`` is predicted where its probability is at least this, whatever `pos_label` is. It is
        zero where every probability suffices, and infinity where none does.
    pos_label_ : label
        Binary only: the positive class of binary metrics.
    score_ : float
        The metric expected on unseen data, from cross-fitting: offsets are fitted on all folds but one and decide that
        one. There are five folds, and three beyond 50,000 samples or a million scores. In a geometric mean a class
        without true positives counts half a true positive.
    score_interval_ : tuple of float
        Prediction interval of the metric on as many unseen samples, at `confidence_level`.
    offsets_interval_ : array of shape (2, K)
        Confidence interval of each offset, by the jackknife over the folds.
    guarantees_ : tuple of Guarantee
        What can be stated about each constraint with a confidence at these offsets, for multilabel targets about each
        label. Attributes are `constraint`, `label`, `kind`, `holds`, `n`, `errors`, `p_value`, `bound`,
        `samples_needed`, `best_bound`, `confidence` and `joint_confidence`; see the notes.
    in_sample_score_ : float
        The metric that :meth:`predict` achieves on the samples of the fit. It is optimistic for unseen data.
    untuned_score_ : float
        The metric on the samples of the fit without offsets.
    class_profile_ : ClassProfile
        Arrays (K,) `classes`, `support`, `recall_before`, `precision_before`, `recall_after` and `precision_after`,
        without and with offsets. Where `held_out` is true, they count the validation folds, or else the samples of the
        fit.
    coverage_ : float
        With a `reject_label`: proportion of the samples of the fit that are decided.
    rejection_ : object
        With a `reject_label`: arrays (K,) `thresholds`, `predicted`, `decided`, `correct` and `precision` of the
        samples of the fit, and the `accuracy` of the decided ones. A threshold is the least calibrated probability of
        the predicted class with which it is decided.
    n_iter_ : int
        Number of sweeps over the classes in the best ascent; for the robust estimate, in that of the plug-in. SciPy
        solvers count evaluations, imbalance states Newton steps, and ``"imbalance_state"`` the states that it tried.
    notes_ : list of str
        Automatic choices and warnings, one sentence or more each.
    prior_shift_ : object
        From :meth:`adapt_to` only: the estimated class prior.

    Raises
    ------
    ValueError
        From :meth:`fit`, if scores are not of the given `kind`, shapes or lengths do not match, or fewer than two
        classes occur. Also if a binary metric gets more classes, or the objective is unknown or judges scores rather
        than decisions.

    Warns
    -----
    FewRowsWarning
        If a class has fewer than ten samples.
    UnreachableGoalWarning
        If no offsets satisfy the constraints.

    See Also
    --------
    TunedOffsetClassifierCV : Fits a classifier and tunes offsets on its out-of-fold scores.

    Notes
    -----
    *Ties.* In the binary case ``classes_[1]`` is predicted where its score is at least the threshold, as in
    scikit-learn's :class:`~sklearn.model_selection.FixedThresholdClassifier`, and so is a label. In the multiclass case
    the first of equal maxima is predicted. ``classes_[0]`` is predicted where its probability is greater than
    ``1 - threshold_``, and so is a `pos_label` that comes first.

    *Threshold.* :meth:`predict` compares the probability itself with the threshold: ``predict(p) == classes_[1]`` is
    ``p >= threshold_``, and ``p[:, 1] >= threshold_`` for two columns, in the precision of the fit. Log-probabilities
    are exponentiated first. Logits are compared as log-odds with ``offsets_[0] - offsets_[1]``, and `threshold_` is
    :func:`scipy.special.expit` of that. Where `threshold_` rounds to one, the probability of ``classes_[0]`` separates
    probabilities of one.

    *Estimates.* ``"robust"`` is the mean of two optima: that for calibrated soft labels, and the median over
    Bayesian bootstraps of half-soft labels. Of their difference the noise is left out. Offsets that score below the
    untuned classifier in cross-fitting are shrunk towards zero. With an expected loss of one standard error or more
    none is kept. ``"empirical"`` is exact for binary problems. For more classes it is the best of several
    coordinate ascents with exact line searches. Few scores get random restarts, except in the folds of `score_`.
    ``"plugin"`` has no restarts.

    *Rejection.* With a `reject_label`, offsets are fitted for the objective and all other constraints, as if every
    sample were decided. So are `score_` and `class_profile_`. Then a sample is rejected where the calibrated
    probability of its predicted class is below the threshold of that class. A constraint on the precision of a class
    determines its threshold. One on the accuracy determines the least threshold of all classes. One on the coverage
    alone rejects as many samples as it allows. With a `confidence` the thresholds are certified by a fixed sequence of
    binomial tests, and several constraints share the probability of error. Where nothing can be certified, all
    decisions of the class are rejected, with a warning.

    *Guarantees.* Binary and multilabel bounds on a recall, a false positive rate, a precision or a predicted share have
    exact tests. These determine which thresholds satisfy the bounds with their confidence. The objective is optimised
    among these, by any estimate. A `kind` of ``"exact"`` or ``"sequential"`` is proven for independent samples and
    scores of one model, and ``"approximate"`` is not. Multiclass bounds are tested at a fifth of the level, or on the
    part `certify_on` of the samples. Bounds on other metrics are tightened until bootstraps of the fitted offsets
    satisfy them. If `holds` is False, the offsets are as near as possible to those with a claim, and a warning is
    issued.

    *SciPy solvers.* Half of the 2,000 evaluations, fewer beyond a million scores, go to cuts of one class after the
    other. Binary problems try cuts alone, every one where there are fewer. They search once instead of bootstrapping,
    for the robust estimate with labels three quarters calibrated if the objective takes `sample_weight`. Each fold has
    a quarter of the evaluations.

    *Imbalance states.* `score_` and `in_sample_score_` are the largest absolute difference between the state and its
    target, and `untuned_score_` that without offsets. `score_` is its expectation on as many unseen samples.
    `score_interval_` allows for random samples of the fit and random unseen samples. ``solver="imbalance_state"`` tries
    states from coarse to fine, 45 in the binary case, and takes the best on the samples of the fit.

    *Devices.* Multilabel targets, imbalance states and the solvers of SciPy and ``"imbalance_state"`` run on the host.
    Offsets and predictions are returned where the scores are.

    *Large data.* Scores may lie on disk, as ``numpy.load(path, mmap_mode="r")``. With ``kind="logits"``,
    ``estimate="empirical"`` and ``confidence_level=None`` the search reads them in blocks, a few times. It holds a
    fifth of them at 1,000 classes. Of a Dask array, chunked by rows, two million scores are sampled, minority classes
    whole, and fitted in memory. With ``estimate="empirical"`` passes over all samples follow, to the binary optimum, or
    until no multiclass offset alone gains anything. `in_sample_score_` and `class_profile_` count all samples; `score_`
    and the intervals are those of the sampled ones. Predictions are lazy. The soft labels of ``"plugin"`` are as large
    as the scores; the default holds one and a half times the scores in its folds. :meth:`predict` holds one block.

    References
    ----------
    Narasimhan et al., *Consistent multiclass algorithms for complex metrics and constraints*, arXiv 2210.09695, 2022.
    Alexandari et al., *Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation*,
    arXiv 1901.06852, 2020. Rubin, *The Bayesian bootstrap*, Annals of Statistics 9, 1981. Bates, Hastie and Tibshirani,
    *Cross-validation: what does it estimate and how well does it do it?*, arXiv 2104.00673, 2021. Tong, Feng and Li,
    *Neyman-Pearson classification algorithms and NP receiver operating characteristics*, Science Advances 4, 2018.
    Laufer-Goldman et al., *Efficiently controlling multiple risks with Pareto testing*, ICLR 2023.

    Examples
    --------
    Probabilities of "yes" that are too low, where one sample in ten is positive:

    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> rng = np.random.default_rng(0)
    >>> y = np.where(rng.random(500) < 0.1, "yes", "no")
    >>> proba = 1 / (1 + np.exp(3 - 2 * (y == "yes") - rng.normal(size=500)))
    >>> tuner = OffsetTuner("f1").fit(proba, y)
    >>> tuner.predict([0.1, 0.3])
    array(['no', 'yes'], dtype='<U3')
    >>> round(tuner.score_, 2), [round(bound, 2) for bound in tuner.score_interval_]
    (0.68, [0.46, 0.82])
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {
        "scores": UNUSED,
        "sample_weight": True,
        "groups": True,
        "cost_matrix": True,
    }
    __metadata_request__predict: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__predict_proba: ClassVar[dict[str, Any]] = {"scores": UNUSED}
    __metadata_request__transform: ClassVar[dict[str, Any]] = {"scores": UNUSED}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "objective": [str, Metric, ImbalanceState, MultilabelMetric, callable, list, tuple],
        "kind": [StrOptions(set(KINDS))],
        "pos_label": [object],
        "class_prior": ["array-like", Mapping, None],
        "constraints": [list, tuple],
        "reject_label": [object],
        "estimate": [StrOptions(set(ESTIMATES))],
        "solver": [StrOptions({"auto", *SOLVERS}), Search],
        "n_bootstraps": [Interval(Integral, 2, None, closed="left")],
        "confidence_level": [Interval(Real, 0.0, 1.0, closed="neither"), None],
        "certify_on": [Interval(Real, 0.0, 1.0, closed="neither"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        objective: Objective = "balanced_accuracy",
        *,
        constraints: Sequence[Constraint] = (),
        reject_label: Label = None,
        kind: Kind = "proba",
        pos_label: Label = None,
        class_prior: ArrayLike | Mapping[Label, float] | None = None,
        estimate: str = "robust",
        solver: str | Search = "auto",
        n_bootstraps: int = 8,
        confidence_level: float | None = 0.9,
        certify_on: float | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.constraints = constraints
        self.reject_label = reject_label
        self.kind = kind
        self.pos_label = pos_label
        self.class_prior = class_prior
        self.estimate = estimate
        self.solver = solver
        self.n_bootstraps = n_bootstraps
        self.confidence_level = confidence_level
        self.certify_on = certify_on
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def fit(
        self,
        scores: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        cost_matrix: ArrayLike | None = None,
    ) -> Self:
        """Fit the offsets.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) in the binary case
            Scores of samples that the classifier was not trained on, one column for each class in the order of
            `classes`. Shape (n,) is the probability, log-probability or log-odds of the second class. NumPy, torch or
            any library of the array API, or a Dask array. Columns of a data frame are matched by label where their
            names are the classes, and go by position where no name is a class. For multilabel targets (n, L), or a list
            of L arrays (n, 2).
        y : array-like of shape (n,), or indicator of shape (n, L)
            The class label of each sample, or a multilabel indicator, dense or sparse.
        classes : array-like of shape (K,), default=None
            The label of each column. None takes the sorted labels of `y`, which must then hold all of them. For
            multilabel targets None takes the columns of `y` where it is a data frame, or else their numbers.
        sample_weight : array-like of shape (n,), default=None
            Sample weights. None gives each sample the weight one.
        groups : array-like of shape (n,), default=None
            Group of each sample, numbers or strings. Samples of one group, such as those of one patient, are not
            independent. No fold splits a group, and intervals and bootstraps draw groups instead of samples. Samples of
            one group and class count once where the number of samples matters. None means that all are independent.
        cost_matrix : array-like of shape (n, K, K), default=None
            For the objective ``Cost()``: the cost of predicting class k (last axis) for each sample, if it is of class
            c. Classes are in the order of `classes_`. It is for binary and multiclass scores in memory.

        Returns
        -------
        OffsetTuner
            The fitted tuner itself.
        """
        return self._fit(
            scores, y, classes=classes, sample_weight=sample_weight, groups=groups, cost_matrix=cost_matrix
        )

    @validates_parameters
    def _fit(
        self,
        scores: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        cost_matrix: ArrayLike | None = None,
        known: Indicator | None = None,
    ) -> Self:
        """Fit the offsets; multilabel, on the scores that are `known` (n, L)."""
        fit = fit_chunks if is_dask(scores) else fit_labels if is_multilabel(y) else fit_classes
        if cost_matrix is not None:
            if fit is not fit_classes:
                what = "a Dask array" if is_dask(scores) else "a multilabel indicator"
                raise ValueError(f"cost_matrix is for binary and multiclass scores in memory; got {what}")
            fit = partial(fit_classes, cost_matrix=cost_matrix)
        if known is not None and not known.all():
            fit = partial(fit_labels, known=known)
        task = FitTask.root(self, max_subtasks=None)
        with task.running():
            result = fit(self._spec(task), scores, y, classes=classes, sample_weight=sample_weight, groups=groups)
        forget_fit(self)
        for name, value in result.attributes().items():
            setattr(self, name, value)
        if self.verbose:
            self._progress(self._values())
        return self

    def __sklearn_tags__(self) -> Tags:
        """State that scores may be of any array library, with or without the array API dispatch of scikit-learn."""
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags

    def _spec(self, task: FitTask) -> FitSpec:
        return FitSpec(
            objective=self.objective,
            **split_constraints(self.constraints, self.reject_label),
            kind=self.kind,
            pos_label=self.pos_label,
            class_prior=self.class_prior,
            estimate=self.estimate,
            solver=self.solver,
            n_bootstraps=self.n_bootstraps,
            confidence_level=self.confidence_level,
            certify_on=self.certify_on,
            seed=self._seed(),
            run=self._run,
            progress=self._progress,
            steps=partial(self._steps, task),
        )

    def _seed(self) -> int:
        random_state = check_random_state(0 if self.random_state is None else self.random_state)
        return int(random_state.randint(2**31 - 1))

    def _run(self, jobs: Iterable[Callable[[], _Result]]) -> Iterator[_Result]:
        """Call each of the independent `jobs`, on `n_jobs` threads, and yield the results while they arrive."""
        parallel = partial(Parallel, n_jobs=self.n_jobs, prefer="threads")
        if parallel().n_jobs == 1:
            return in_turn(jobs)
        try:
            pool = parallel(return_as="generator")
        except (TypeError, ValueError):  # before joblib 1.3, or of a backend that returns all results at once
            pool = parallel()
        # joblib's own `delayed`: that of scikit-learn replaces the warning filters of the process in each thread.
        call, config, silent = delayed(_called), get_config(), is_silent()
        return iter(pool(call(job, config=config, silent=silent) for job in jobs))

    def _steps(self, task: FitTask, name: str, results: Iterable[_Result], total: int) -> Iterator[_Result]:
        """Count the parts of a task, for callbacks and on the screen: each of few, every tenth part of many.

        They are counted here and not in the functions, which may run in other processes.
        """
        of_steps, results = task.subtask(f"{name}s", max_subtasks=total, sequential_subtasks=False), iter(results)
        with of_steps.running():
            for number in range(total):
                with of_steps.subtask(name, task_id=number).running():
                    result = next(results)
                if (number + 1) * _LINES // total > number * _LINES // total:
                    self._progress(f"{name} {number + 1:,}/{total:,}")
                yield result

    def _values(self) -> str:
        """Return the values of the objective, for progress."""
        named = self.objective, getattr(self.objective, "name", None), getattr(self.objective, "__name__", None)
        name = next((name for name in named if isinstance(name, str)), "score")
        before, after = self.untuned_score_, self.in_sample_score_
        expected = f", {self.score_:.6g} expected on unseen data" if hasattr(self, "score_") else ""
        return f"{name}={after:.6g} on these samples, {before:.6g} without offsets{expected}"

    def _progress(self, message: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {message}", flush=True)

    @names_page
    def adapt_to(self, scores: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        r"""Return a tuner for data with another class prior, estimated from scores without labels.

        The class prior is estimated, and offsets are fitted to the samples of :meth:`fit` with it as `class_prior`.
        Scores are assumed to be distributed within each class as they were there. Where the change of class priors is
        not significant, the offsets stay as they are. It is significant if its p-value, of all classes at once, is
        below .01. If no class priors explain the new scores, only a larger change is significant.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) in the binary case
            Scores of the samples to be predicted, of the kind that the tuner was fitted on; ten samples at least.
        groups : array-like of shape (n,), default=None
            The group of each sample, such as a patient. Samples of one group depend on each other: bootstraps draw
            groups instead of samples, and intervals become wider. Pass the groups of the fit to :meth:`fit`.

        Returns
        -------
        OffsetTuner
            Another fitted tuner. Its `class_prior` is the prior that its offsets are for. Its `prior_shift_` has arrays
            (K,) `before`, `estimated` and `by_decisions`, and the `p_value` of no change. Its `misfit` is about one if
            class priors explain the new scores, and larger if the scores within classes have changed.

            `prior_shift_` has two kinds of confidence intervals (2, K), of `confidence_level`, or 0.9 if that is None.
            Each `interval` is that of one class. All of `joint_interval` hold at once with this confidence, and are
            wider. Notes and the report give the joint ones.

        Raises
        ------
        ValueError
            If scores are not of the given `kind`, or too few; if groups do not match them, or are all one.

        Warns
        -----
        UncertainShiftWarning
            If the change of class priors is not significant.

        Notes
        -----
        The estimate of expectation maximisation on calibrated probabilities (Saerens, Latinne and Decaestecker, Neural
        Computation 14, 2002) is shrunk by its noise over bootstraps. The estimate from decisions alone (Lipton, Wang
        and Smola, arXiv 1802.03916, 2018) is given for comparison. For this :meth:`fit` keeps scores, labels and
        weights: by reference, or a sample where there are more than five million scores. A pickle contains them.

        The interval of class k is

        .. math:: \sin^2(\arcsin \sqrt{p_k} \pm t m s_k)

        with its estimate p, the `misfit` m, and the standard error s of the angle over bootstraps. The two-sided
        quantile t is that of Student's distribution at the confidence level. For joint intervals of three or more
        classes, it is at the level to the power of one over their number. See Šidák, Journal of the American
        Statistical Association 62, 1967. The p-value is one minus the largest level at which a class prior of the fit
        is outside of its joint interval. With one tuner for each label, multiply the p-values by the number of labels.

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
                "adapt_to is for binary and multiclass targets; this tuner was fitted on a multilabel indicator of "
                f"{abridged(self.classes_)}. Fit on samples like the unseen ones instead"
            )
        if is_dask(scores):
            raise TypeError("adapt_to takes scores in memory: some thousand samples suffice; got a Dask array")
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
            groups=check_groups(groups, n_samples=int(new.shape[0])),
        )
        notes = notes_on_shift(shift, self.classes_)
        if shift.is_significant:
            other.class_prior = shift.prior
            y = self.classes_[kept.codes]
            openings = tuple(note.split(":")[0].rstrip(".") for note in self.notes_)
            with caught_warnings() as caught:
                other.fit(
                    kept.scores,
                    y,
                    classes=self.classes_,
                    sample_weight=kept.weights,
                    groups=kept.groups,
                    cost_matrix=kept.cost_matrix,
                )
            other.guarantees_ = tuple(  # bounds on a precision take the estimated prior for the true one
                replace(each, kind="approximate") if each.kind == "sequential" else each for each in other.guarantees_
            )
            for message, category in caught:
                if not message.startswith(openings):  # a note of the first fit is not repeated
                    warn_user(message, category)
        other.notes_ = other.notes_ + notes
        other.prior_shift_ = shift
        return other


def _called(job: Callable[[], _Result], *, config: dict[str, Any], silent: bool) -> _Result:
    """Call a job in another thread as in the one that made it."""
    with config_context(**config), silenced(silent):
        return job()
