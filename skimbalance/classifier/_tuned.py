"""Offsets tuned on scores of samples that the classifier was not trained on."""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from numbers import Integral, Real
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skimbalance._core.array_api import to_numpy
from skimbalance._core.sklearn import (
    CallbackSupportMixin,
    FitTask,
    Interval,
    StrOptions,
    forget_fit,
    routing_enabled,
    validate_parameters,
    validates_parameters,
)
from skimbalance._core.typing import ArrayLike, Kind, Label
from skimbalance._core.validation import check_groups, is_multilabel, names_page
from skimbalance.classifier._base import OffsetClassifier, response_of
from skimbalance.classifier._targets import (
    Fold,
    Split,
    Targets,
    counted_once,
    fit_fold,
    require_alike,
    samples_with_evidence,
    targets_of,
)
from skimbalance.classifier.response import RESPONSE_METHODS, is_frozen
from skimbalance.estimation import FitSpec, in_turn
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.solvers import Search
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner._report import Report
from skimbalance.tuner.checks import Objective, needs_cost_matrix, takes_weights
from skimbalance.tuner.rejection import split_constraints

__all__ = ["TunedOffsetClassifierCV"]

_OF_THE_TUNER = (
    "objective",
    "constraints",
    "reject_label",
    "pos_label",
    "class_prior",
    "estimate",
    "solver",
    "n_bootstraps",
    "confidence_level",
    "certify_on",
    "n_jobs",
    "verbose",
    "random_state",
)
"""Parameters that the tuner gets, too."""

_REMOVED_BY_EMPTY = ("reject_label", "class_prior")
"""Parameters that are None where `retune` gets an empty tuple."""

_UNTRAINED = (
    "cv='prefit' needs a trained estimator, and this %(name)s is not. Train it first, or leave cv out. Where it is "
    "cloned, as in a grid search or a pipeline, FrozenEstimator(model) keeps it trained"
)


_MEASURED = (
    "The confidence of the constraints is proven for the models of the folds alone. For the final model it was "
    "measured; with cv='prefit' it is proven."
)


class TunedOffsetClassifierCV(CallbackSupportMixin, OffsetClassifier):
    r"""Tune one offset per class for a metric of your choice, on scores of samples the classifier was not trained on.

    The classifier is cross-validated. :class:`OffsetTuner` fits the offsets on the pooled scores of the validation
    folds. Predictions are :math:`\operatorname{argmax}_k (s_k + b_k)`.

    Parameters
    ----------
    estimator : classifier
        A classifier with `predict_proba` or `decision_function`. For multilabel targets one that takes an
        indicator and returns a score for each label, (n, K) or a list of K arrays (n, 2).
    objective : str, metric, ImbalanceState, scorer, function or list of metrics, default="balanced_accuracy"
        What to optimise; see :class:`OffsetTuner` for all types.

        - str: a name from :func:`skimbalance.metrics.get_metric_names`.
        - metric: an object such as ``FBeta(2.0)`` or ``Cost(matrix)``; ``Cost()`` with the `cost_matrix` of
          :meth:`fit` for costs that differ between samples.
        - :class:`~skimbalance.goals.ImbalanceState`: the target of the mean predicted distribution.
        - scorer or function ``f(y_true, y_pred)``: a black-box metric.
        - list: a metric for each label.
    constraints : sequence of AtLeast, AtMost or Near, default=()
        Constraints on the decisions; see :class:`OffsetTuner`.
    reject_label : label, default=None
        The label that :meth:`predict` returns for rejected samples; see :class:`OffsetTuner`. The `score` counts them
        as errors. None decides every sample.
    pos_label : label, default=None
        Positive class of binary metrics; see :class:`OffsetTuner`.
    class_prior : array-like of shape (K,) or dict, default=None
        Class prior of unseen data, if it differs from that of the training samples; see :class:`OffsetTuner`.
    estimate : {"robust", "empirical", "plugin"}, default="robust"
        How the tuner fits the offsets; see :class:`OffsetTuner`.

        - ``"robust"``: offsets for unseen data, from bootstraps and calibrated soft labels.
        - ``"empirical"``: the best offsets on the given scores.
        - ``"plugin"``: the best offsets for calibrated soft labels.
    solver : str or Search, default="auto"
        Search algorithm; see :class:`OffsetTuner`.
    n_bootstraps : int, default=8
        Number of bootstraps of the robust estimate, at least two; see :class:`OffsetTuner`.
    confidence_level : float or None, default=0.9
        Level of `score_interval_` and of the `offsets_interval_` of `tuner_`. None computes no interval; see
        :class:`OffsetTuner`.
    certify_on : float in (0, 1) or None, default=None
        Proportion of the scored samples on which multiclass constraints are certified; see :class:`OffsetTuner`.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        Method that returns the scores.

        - ``"auto"``: `predict_proba` if the classifier has it, otherwise `decision_function`. A net of skorch is
          evaluated for its logits.
        - ``"predict_proba"``: probabilities.
        - ``"decision_function"``: margins.
    cv : int, splitter, iterable, float, "prefit" or None, default=None
        Samples that the scores are computed on; see Notes for multilabel targets.

        - None: the validation folds of a stratified 5-fold.
        - int: the validation folds of a stratified k-fold.
        - float in (0, 1): one stratified hold-out of this proportion.
        - splitter or iterable of splits: its validation folds.
        - ``"prefit"``: all samples. The estimator is used as it is, and must not have been trained on them.
    refit : bool, default=True
        Whether to fit the classifier on all samples afterwards.

        - True: `estimator_` is a new fit on all samples.
        - False: `estimator_` is the model whose scores were used; `cv` must make a single split.
    n_jobs : int, default=None
        Number of folds fitted in parallel, and number of threads of the tuner.
    verbose : int, default=0
        If positive, print a line for each fold and the final fit, and the lines of :class:`OffsetTuner`.
        `set_callbacks` shows progress bars.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out split and of the tuner; None is the seed 0.
    store_cv_results : bool, default=False
        Whether to store the scores in `cv_results_`, which :meth:`retune` can use later.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    tuner_ : OffsetTuner
        The fitted tuner; it takes the scores of `estimator_`.
    offsets_ : array of shape (K,)
        The offsets of the tuner.
    threshold_ : float
        Binary only: ``classes_[1]`` is predicted where its probability is at least this, whatever `pos_label` is:
        ``estimator_.predict_proba(X)[:, 1] >= threshold_``; or where the logistic function of the margin is. See the
        notes of :class:`OffsetTuner`. For multilabel targets an array (K,), that of each.
    classes_ : ndarray of shape (K,)
        The labels; for multilabel targets their columns, from zero. The `classes_` of `tuner_` are their names.
    multilabel_ : bool
        Whether targets are multilabel; K is then the number of labels.
    score_ : float
        Expected value of the objective on unseen data; see :class:`OffsetTuner`. Missing if the tuner has none.
    score_interval_ : tuple of float
        Interval of the objective on as many unseen samples, with probability `confidence_level`. Missing if
        `confidence_level` is None.
    coverage_, rejection_ : object
        With a `reject_label`: what is decided; see :class:`OffsetTuner`.
    cv_results_ : dict
        Stored with ``store_cv_results=True``, one entry per scored sample:

        - `scores`, `y`, `sample_weight`: what the tuner was fitted on.
        - `rows`: the position of each sample in `X`.
        - `fold`: the number of its validation fold.
        - `groups`: the code of its group, None without groups.
        - `cost_matrix`: the matrix of its costs, None without costs of each sample.
        - `known`, of shape (n, K): False where the model of the fold had seen no sample of the class in training.
          For multilabel targets it needs samples with the label and samples without it. Other scores are placeholders,
          which no fit or estimate uses.
    n_features_in_ : int
        Number of features, where the fitted classifier has it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, where the fitted classifier has them.

    Raises
    ------
    ValueError
        From :meth:`fit`, if `y` has fewer than two classes, ``refit=False`` is used with several splits, or scores,
        objective or constraints are invalid.

    See Also
    --------
    OffsetTuner : Fits offsets on given scores.
    FixedOffsetClassifier : Offsets in closed form, or a given threshold.

    Notes
    -----
    `predict`, `predict_proba`, `predict_log_proba` and `decision_function` all include the offsets. Voting, stacking,
    one-vs-rest and calibration around the classifier therefore use them.

    `score` is the accuracy, as for every classifier of scikit-learn, and a search without `scoring` ranks by it. Pass
    ``scoring=skimbalance.scorers.objective_scorer`` to rank by the objective.

    For multilabel targets an int or float `cv` spreads samples evenly by the rarest label of each sample.

    A sample that several models score, as with repeated splits, counts once: its scores share its weight.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance import TunedOffsetClassifierCV
    >>> X, y = make_classification(600, weights=[0.9], class_sep=0.5, random_state=0)
    >>> clf = TunedOffsetClassifierCV(LogisticRegression(), objective="f1").fit(X, y)
    >>> clf.threshold_ < 0.5
    True
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"sample_weight": True, "groups": True, "cost_matrix": True}
    _takes_several = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **OffsetClassifier._parameter_constraints,
        **{name: OffsetTuner._parameter_constraints[name] for name in _OF_THE_TUNER},
        "response_method": [StrOptions(set(RESPONSE_METHODS))],
        "cv": ["cv_object", StrOptions({"prefit"}), Interval(Real, 0.0, 1.0, closed="neither")],
        "refit": ["boolean"],
        "store_cv_results": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        objective: Objective = "balanced_accuracy",
        constraints: Sequence[Constraint] = (),
        reject_label: Label = None,
        pos_label: Label = None,
        class_prior: ArrayLike | Mapping[Label, float] | None = None,
        estimate: str = "robust",
        solver: str | Search = "auto",
        n_bootstraps: int = 8,
        confidence_level: float | None = 0.9,
        certify_on: float | None = None,
        response_method: str = "auto",
        cv: Any = None,
        refit: bool = True,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        store_cv_results: bool = False,
    ) -> None:
        self.estimator = estimator
        self.objective = objective
        self.constraints = constraints
        self.reject_label = reject_label
        self.pos_label = pos_label
        self.class_prior = class_prior
        self.estimate = estimate
        self.solver = solver
        self.n_bootstraps = n_bootstraps
        self.confidence_level = confidence_level
        self.certify_on = certify_on
        self.response_method = response_method
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state
        self.store_cv_results = store_cv_results

    @validates_parameters
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Fit the classifier and its offsets.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,), or indicator of shape (n_samples, K)
            Labels; or, dense or sparse, a one for each label that a sample carries.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the tuning, and in the `fit` of the classifier if that takes weights. With metadata
            routing the classifier gets them if it requests them.
        **params : dict
            Parameters for the `fit` of the classifier; with metadata routing, what the classifier and the splitter
            request. `groups`, such as those of a ``GroupKFold``, always reach the tuner; see :meth:`OffsetTuner.fit`.
            So does `cost_matrix` of shape (n_samples, K, K), the costs of each sample for the objective ``Cost()``. The
            classifier gets it with metadata routing alone.

        Returns
        -------
        TunedOffsetClassifierCV
            The fitted classifier itself.
        """
        X, y = indexable(X, y)
        targets = targets_of(y, sample_weight)
        groups = check_groups(params.get("groups"), n_samples=targets.y.shape[0])
        costs = params.pop("cost_matrix", None)
        costs = None if costs is None else to_numpy(costs, name="cost_matrix")
        n_tasks = 1 if isinstance(self.cv, str) else 2 + bool(self.refit)
        task = FitTask.root(self, max_subtasks=n_tasks)
        with task.running():
            targets, folds, final = self._scored(X, targets, params, sample_weight, costs, task)
            columns = targets.columns(final)
            judged = targets.judged(folds, columns)
            judged["groups"] = None if groups is None else groups[judged["rows"]]
            judged["cost_matrix"] = None if costs is None else costs[judged["rows"]]
            n_scored = sum(len(fold.samples) for fold in folds)
            of_tuning = task.subtask("tune-offsets")
            tuner = self._tuned_on(judged, columns, kind=folds[0].response.kind, n_scored=n_scored, task=of_tuning)
        forget_fit(self)
        self._scored_itself = len(folds) == 1 and final is folds[0].estimator
        self._adopt(final, columns, multilabel=tuner.multilabel_)
        refitted = final is not folds[0].estimator and not is_frozen(final)
        self._seen = targets.seen() if refitted else folds[0].response.seen
        self._take_offsets(tuner, scored_itself=self._scored_itself)
        if self.store_cv_results:
            self.cv_results_ = judged
        return self

    @names_page
    def retune(
        self,
        X: Any = None,
        y: ArrayLike | None = None,
        *,
        objective: Objective | None = None,
        constraints: Sequence[Constraint] | None = None,
        reject_label: Label = None,
        class_prior: ArrayLike | Mapping[Label, float] | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        cost_matrix: ArrayLike | None = None,
    ) -> Self:
        """Return a copy with the same fitted model and offsets for another objective.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features), default=None
            Samples that the model was not trained on. None uses the scores of :meth:`fit`, which
            ``store_cv_results=True`` stores.
        y : array-like of shape (n_samples,), default=None
            Their labels.
        objective : str, metric, ImbalanceState, scorer or function, default=None
            What to optimise; None keeps the objective.
        constraints : sequence of AtLeast, AtMost or Near, default=None
            Constraints on the decisions; None keeps those of the classifier, ``()`` removes them.
        reject_label : label, default=None
            The label of rejected samples; None keeps that of the classifier, ``()`` removes it, so that every sample is
            decided. Constraints on the coverage need a label, and a label needs constraints on decided samples.
        class_prior : array-like of shape (K,) or dict, default=None
            Class prior of unseen data; None keeps that of the classifier, ``()`` removes it.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples of `X`.
        groups : array-like of shape (n_samples,), default=None
            Groups of the samples of `X`; see :meth:`OffsetTuner.fit`.
        cost_matrix : array-like of shape (n_samples, K, K), default=None
            Costs of each sample of `X`, for the objective ``Cost()``.

        Returns
        -------
        TunedOffsetClassifierCV
            Another fitted classifier with the same `estimator_`; this one is unchanged.

        Raises
        ------
        ValueError
            If there are no samples to tune on, only one of `X` and `y` is given, or objective and constraints are
            invalid.
        """
        check_is_fitted(self)
        other = copy(self)
        goals = {
            "objective": objective,
            "constraints": constraints,
            "reject_label": reject_label,
            "class_prior": class_prior,
        }
        for name, goal in goals.items():
            if goal is not None:
                is_removed = name in _REMOVED_BY_EMPTY and isinstance(goal, tuple) and not goal
                setattr(other, name, None if is_removed else goal)
        validate_parameters(other)
        samples = self._rows_to_retune(X, y, sample_weight, groups, cost_matrix)
        if X is None and not needs_cost_matrix(other.objective):
            samples = {**samples, "cost_matrix": None}  # those of fit
        n_scored = len(samples["rows"])
        kind, no_task = self.tuner_.kind, FitTask(other, None)
        tuner = other._tuned_on(samples, self.tuner_.classes_, kind=kind, n_scored=n_scored, task=no_task)
        other._take_offsets(tuner, scored_itself=self._scored_itself or X is not None)
        return other

    def predict(self, X: Any, *, cost_matrix: ArrayLike | None = None) -> npt.NDArray[Any]:
        """Predict the class with the highest shifted score, or each label whose shifted log-odds are positive.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.
        cost_matrix : array-like of shape (n_samples, K, K), default=None
            The costs of each sample, where they are known; see :meth:`OffsetTuner.predict`.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, K) for multilabel targets
            Labels, or the indicator of the predicted labels.
        """
        if cost_matrix is None:
            return super().predict(X)
        _, scores = self._rule_and_scores(X)
        return to_numpy(self.tuner_.predict(scores, cost_matrix=cost_matrix))

    @names_page
    def adapt_to(self, X: Any, *, groups: ArrayLike | None = None) -> Self:
        """Fit offsets for another class prior, which is estimated from samples without labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples to be predicted, at least ten.
        groups : array-like of shape (n_samples,), default=None
            The group of each sample, such as a patient; see :meth:`OffsetTuner.adapt_to`.

        Returns
        -------
        TunedOffsetClassifierCV
            Another fitted classifier with the same `estimator_`. Its offsets are for the class prior of `X`, which the
            `prior_shift_` of its `tuner_` describes; see :meth:`OffsetTuner.adapt_to`.

        Warns
        -----
        UncertainShiftWarning
            If the change of the class prior is not significant; the offsets are then unchanged.
        """
        check_is_fitted(self)
        response = response_of(self, X)
        other = copy(self)
        tuner = self.tuner_.adapt_to(response.scores, groups=groups)
        other.class_prior = tuner.class_prior
        other._take_offsets(tuner, scored_itself=self._scored_itself)
        return other

    def report(self) -> Report:
        """Report the objective and the scores, each class before and after, and the notes.

        Returns
        -------
        Report
            That of `tuner_`: print it, let a notebook show it, or log its ``to_dict()``.
        """
        check_is_fitted(self)
        return Report.of(self.tuner_)

    def _rows_to_retune(
        self,
        X: Any,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        cost_matrix: ArrayLike | None,
    ) -> dict[str, Any]:
        if (X is None) != (y is None):
            raise ValueError("X and y must be given together, or neither; got one of them")
        if X is not None:
            require_alike(y, n_labels=len(self.classes_) if self.multilabel_ else None)
            X, y = indexable(X, y)
            response = response_of(self, X)
            samples = np.arange(response.scores.shape[0])
            seen = self._seen if self.multilabel_ else None
            return {
                "scores": response.scores,
                "y": y,
                "sample_weight": sample_weight,
                "rows": samples,
                "groups": groups,
                "cost_matrix": cost_matrix,
                "known": None if seen is None else np.tile(seen, (len(samples), 1)),
            }
        for name, given in (
            ("sample_weight", sample_weight),
            ("groups", groups),
            ("cost_matrix", cost_matrix),
        ):
            if given is not None:
                raise ValueError(f"{name} goes with X and y; the stored scores have that of fit")
        if not hasattr(self, "cv_results_"):
            raise ValueError(
                "retune needs samples to tune on: pass X and y that the model was not trained on, or fit with "
                "store_cv_results=True"
            )
        return self.cv_results_

    def _scored(
        self,
        X: Any,
        targets: Targets,
        params: Mapping[str, Any],
        sample_weight: ArrayLike | None,
        cost_matrix: npt.NDArray[Any] | None,
        task: FitTask,
    ) -> tuple[Targets, list[Fold], Any]:
        """Return the targets with the model's classes, the scored folds and the final model."""
        to_check = ("objective", "pos_label", "class_prior", "solver")
        goals = split_constraints(self.constraints, self.reject_label)
        spec = FitSpec(**{name: getattr(self, name) for name in to_check}, **goals)
        if isinstance(self.cv, str):
            check_is_fitted(self.estimator, msg=_UNTRAINED)
            targets = targets.known_to(self.estimator, X, response_method=self.response_method)
            targets.check(spec, cost_matrix)
            response = targets.respond(self.estimator, X, response_method=self.response_method)
            return targets, [Fold(self.estimator, response, np.arange(len(response.scores)))], self.estimator
        targets.check(spec, cost_matrix)  # a wrong goal fails before anything is fitted
        grouped = params.get("groups") is not None
        if grouped and not routing_enabled() and not has_fit_parameter(self.estimator, "groups"):
            raise ValueError(
                "groups reach the splitter by metadata routing alone, which is off. Call "
                "sklearn.set_config(enable_metadata_routing=True), and pass a cv that splits by groups, such as "
                f"GroupKFold(5); got cv={self.cv!r}"
            )
        if cost_matrix is not None and routing_enabled():
            params = {**params, "cost_matrix": cost_matrix}
        fit_params, split_params = self._route(params, sample_weight, weighs="the tuner")
        targets = targets.learnt_by(self.estimator)
        splits = self._splits(X, targets, split_params)
        with (of_folds := task.subtask("fit-folds", max_subtasks=len(splits), sequential_subtasks=False)).running():
            folds = self._fit_folds(X, targets, splits=splits, fit_params=fit_params, task=of_folds)
        if not self.refit:
            return targets, folds, folds[0].estimator
        final = clone(self.estimator)
        begin = perf_counter()
        with task.subtask("refit").running(None if is_frozen(final) else final):
            final = targets.fit(final, X, **fit_params)
        if self.verbose:
            print(f"[{type(self).__name__}] final fit: {perf_counter() - begin:.1f} s", flush=True)
        return targets, folds, final

    def _take_offsets(self, tuner: OffsetTuner, *, scored_itself: bool) -> None:
        is_proven = any(each.kind != "approximate" for each in tuner.guarantees_)
        if is_proven and not scored_itself and _MEASURED not in tuner.notes_:
            tuner.notes_.append(_MEASURED)
        self.tuner_, self.offsets_ = tuner, tuner.offsets_
        for name in ("threshold_", "score_", "score_interval_", "coverage_", "rejection_"):
            self.__dict__.pop(name, None)  # an earlier tuner may have had it
            if hasattr(tuner, name):
                setattr(self, name, getattr(tuner, name))

    def _tuned_on(
        self, samples: Mapping[str, Any], columns: npt.NDArray[Any], *, kind: Kind, n_scored: int, task: FitTask
    ) -> OffsetTuner:
        """Return a tuner fitted on the scores of models that had seen the class, or the label."""
        several = is_multilabel(samples["y"])
        if not several:
            every = isinstance(self.objective, ImbalanceState)
            samples = {**samples_with_evidence(samples, columns, every=every), "known": None}
        chosen = counted_once(samples, weighing=takes_weights(self.objective))
        tuner = OffsetTuner(kind=kind, **{name: getattr(self, name) for name in _OF_THE_TUNER})
        with task.running(tuner):
            tuner._fit(**chosen, classes=columns)
        notes, n_used = tuner.notes_, len(samples["rows"])
        n_distinct = np.count_nonzero(np.bincount(samples["rows"]))  # of many integers far faster than np.unique
        if n_scored > n_used:
            notes.append(
                f"{n_scored - n_used:,} samples were left out: their fold's model had not seen their class, or a tuned "
                "class."
            )
        if n_distinct < n_used:
            notes.append(f"The splits overlap: {n_distinct:,} samples have {n_used:,} scores. Each sample counts once.")
        return tuner

    def _splits(self, X: Any, targets: Targets, split_params: Mapping[str, Any]) -> list[Split]:
        """Return the samples to fit on and the samples to score, for each fold."""
        hold_out = isinstance(self.cv, Real) and not isinstance(self.cv, Integral)
        seed = 0 if self.random_state is None else self.random_state
        every = np.arange(targets.y.shape[0])
        found = targets.splits(float(self.cv) if hold_out else self.cv, X, seed=seed, **split_params)
        splits = [(every[train], every[test]) for train, test in found]
        if not splits:
            raise ValueError(f"cv must make at least one split; got none from {self.cv!r}")
        if not self.refit and len(splits) > 1:
            raise ValueError(
                f"refit=False returns the model whose scores were used, so cv must make one split; got {len(splits)}. "
                "Pass a float, such as cv=0.2, or leave refit=True"
            )
        return splits

    def _fit_folds(
        self,
        X: Any,
        targets: Targets,
        *,
        splits: list[Split],
        fit_params: Mapping[str, Any],
        task: FitTask,
    ) -> list[Fold]:
        """Fit a clone on each fold and score the samples it has not seen."""
        jobs = [
            partial(
                fit_fold,
                clone(self.estimator),
                X,
                targets,
                split=split,
                fit_params=fit_params,
                response_method=self.response_method,
                announce=f"[{type(self).__name__}] fold {number}/{len(splits)}" if self.verbose else None,
                task=task.subtask("fold", task_id=number - 1),
            )
            for number, split in enumerate(splits, start=1)
        ]
        pool = Parallel(n_jobs=self.n_jobs)
        # Jobs of scikit-learn replace the warning filters of the process, which threads that fit must not do.
        return list(in_turn(jobs) if pool.n_jobs == 1 else pool(delayed(job)() for job in jobs))

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this object.

        Returns
        -------
        MetadataRouter
            Parameters of `fit` go to the `fit` of the classifier and the `split` of the splitter, as these request;
            `sample_weight`, `groups` and `cost_matrix` are used here too, unless :meth:`set_fit_request` changes that.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        )
