"""Targets of a classifier, multiclass and multilabel with the same methods, and the folds that score their samples."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, StratifiedShuffleSplit, check_cv, train_test_split
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skimbalance._core.array_api import on_host, to_numpy
from skimbalance._core.sklearn import FitTask, take_params, take_samples
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import (
    abridged,
    check_codes,
    check_present,
    check_sample_weight,
    distinct_labels,
    is_multilabel,
)
from skimbalance.classifier.response import Response, ask, is_frozen, pooled, respond, respond_labels, sure_of
from skimbalance.estimation import FitSpec
from skimbalance.nn import ends_in_net, targets_for
from skimbalance.tuner.checks import check_spec, with_costs
from skimbalance.tuner.labels import Indicator, check_indicator, rarities
from skimbalance.tuner.labels.objective import check_label_spec, label_names
from skimbalance.tuner.rejection import reject_goals

__all__ = [
    "ClassTargets",
    "Fold",
    "LabelTargets",
    "Split",
    "Targets",
    "class_targets",
    "counted_once",
    "fit_fold",
    "require_alike",
    "samples_with_evidence",
    "systematic_splits",
    "targets_of",
]

_Floats = npt.NDArray[np.float64]
_Samples = npt.NDArray[np.intp]

Split: TypeAlias = tuple[_Samples, _Samples]
"""The samples to fit on, and the samples to score."""


class Fold(NamedTuple):
    """A fitted classifier, and its response on validation samples."""

    estimator: Any
    response: Response
    samples: _Samples


@dataclass(frozen=True, eq=False)
class ClassTargets:
    """One label `y` (n,) per sample.

    `present` are the sorted labels. `named` are the labels of the columns if the estimator has others.
    """

    y: npt.NDArray[Any]
    present: npt.NDArray[Any]
    weights: _Floats | None
    named: npt.NDArray[Any] | None = None

    def check(self, spec: FitSpec, cost_matrix: npt.NDArray[Any] | None) -> None:
        """Raise if objective or constraints are invalid for these classes."""
        sizes = {"n_samples": len(self.y), "n_classes": len(self.present)}
        spec, _ = with_costs(spec, cost_matrix, **sizes, like=np.zeros(0))
        check_spec(spec, self.present)
        reject_goals(spec, self.present)

    def known_to(self, estimator: Any, X: Any, *, response_method: str) -> "ClassTargets":
        """Return the targets with the classes of a trained estimator.

        The columns of a net without `classes_` are the labels `present` if there is one for each column, otherwise
        0, ..., K - 1.
        """
        if not ends_in_net(estimator) or hasattr(estimator, "classes_"):
            return replace(self, present=self.columns(estimator))
        outputs, _, _ = ask(estimator, take_samples(X, [0]), response_method)
        n_classes = 2 if outputs.ndim == 1 else max(2, outputs.shape[1])
        present = self.present
        if len(present) != n_classes:
            if present.dtype.kind not in "iuf" or not np.isin(present, np.arange(n_classes)).all():
                raise ValueError(
                    f"y must hold a label for each of the {n_classes} outputs of a net without classes_, or the "
                    f"numbers of outputs from 0 to {n_classes - 1}; got {abridged(present)}"
                )
            present = np.arange(n_classes, dtype=present.dtype)
        return replace(self, present=present, named=present)

    def learnt_by(self, estimator: Any) -> "ClassTargets":
        """Return the targets for an unfitted estimator: a net is trained on the numbers of its columns."""
        return replace(self, named=self.present if ends_in_net(estimator) else None)

    def splits(self, cv: Any, X: Any, *, seed: Any, **params: Any) -> list[Split]:
        """Split by classes, or as the splitter does."""
        if isinstance(cv, float):
            splitter = StratifiedShuffleSplit(n_splits=1, test_size=cv, random_state=seed)
        else:
            splitter = check_cv(cv, self.present[:2], classifier=True)  # all that it asks is whether y holds classes
        return list(splitter.split(X, self.y, **params))

    def fit(self, estimator: Any, X: Any, samples: _Samples | None = None, **params: Any) -> Any:
        """Fit the estimator on `X`, which are these samples of all."""
        labels = self.y if samples is None else self.y[samples]
        targets = labels if self.named is None else targets_for(estimator, self.named.searchsorted(labels))
        return estimator.fit(X, targets, **params)

    def respond(self, estimator: Any, X: Any, *, response_method: str, trained_on: _Samples | None = None) -> Response:
        """Return a score for each class of the estimator."""
        response = respond(estimator, X, response_method=response_method, classes=self.named)
        if trained_on is None:
            return response
        learnt = trained_on if self.weights is None else trained_on[self.weights[trained_on] > 0]
        return response._replace(seen=np.isin(response.classes, self.y[learnt]))

    def seen(self) -> npt.NDArray[np.bool_] | None:
        """Return None: the classes of a model of all samples have samples."""
        return None

    def columns(self, estimator: Any) -> npt.NDArray[Any]:
        """Return the class of each column of scores; raise if `y` has others."""
        if self.named is not None:
            return self.named
        known = to_numpy(estimator.classes_)
        names = set(known.tolist())
        unknown = self.present[[label not in names for label in self.present.tolist()]]
        if unknown.size:
            raise ValueError(
                f"y holds {abridged(unknown)}, which is not among the classes of the fitted estimator, "
                f"{abridged(known)}"
            )
        return known

    def judged(self, folds: list[Fold], columns: npt.NDArray[Any]) -> dict[str, Any]:
        """Return the scored samples, without those of a class that the model of their fold had not seen."""
        seen = np.array([np.isin(columns, fold.response.classes[fold.response.known_columns()]) for fold in folds])
        if seen.all():
            kept = [np.ones(len(fold.samples), dtype=bool) for fold in folds]
        else:
            codes = check_codes("y", self.y, labels=columns)
            kept = [known[codes[fold.samples]] for known, fold in zip(seen, folds, strict=True)]
        return _judged(self, folds, scores=pooled([fold.response for fold in folds], columns), seen=seen, kept=kept)


@dataclass(frozen=True, eq=False)
class LabelTargets:
    """Multilabel: estimators get `y` (n, L), dense or sparse; `names` are those of the labels."""

    y: Any
    indicator: Indicator
    names: npt.NDArray[Any]
    weights: _Floats | None

    def check(self, spec: FitSpec, cost_matrix: npt.NDArray[Any] | None) -> None:
        """Raise if objective or constraints are invalid for these labels."""
        if cost_matrix is not None:
            raise ValueError("cost_matrix is for binary and multiclass targets; got a multilabel indicator")
        check_label_spec(spec, self.names)

    def known_to(self, estimator: Any, X: Any, *, response_method: str) -> "LabelTargets":
        """Return the targets: a label is its column."""
        return self

    def learnt_by(self, estimator: Any) -> "LabelTargets":
        """Return the targets as floats for a net, whose loss compares them with logits."""
        return replace(self, y=self.indicator.astype(np.float32)) if ends_in_net(estimator) else self

    def splits(self, cv: Any, X: Any, *, seed: Any, **params: Any) -> list[Split]:
        """Spread samples evenly by the rarest label that they carry, or as the splitter does."""
        if cv is None or isinstance(cv, Real):
            return systematic_splits(rarities(self.indicator), cast("float | None", cv), seed=seed)
        return list(check_cv(cv).split(X, self.y, **params))

    def fit(self, estimator: Any, X: Any, samples: _Samples | None = None, **params: Any) -> Any:
        """Fit the estimator on `X`, which are these samples of all."""
        return estimator.fit(X, self.y if samples is None else take_samples(self.y, samples), **params)

    def respond(self, estimator: Any, X: Any, *, response_method: str, trained_on: _Samples | None = None) -> Response:
        """Return a score for each label."""
        response = respond_labels(estimator, X, response_method=response_method, classes=self.names)
        return response if trained_on is None else sure_of(response, known=self._learnt_on(trained_on))

    def seen(self) -> npt.NDArray[np.bool_] | None:
        """Return the labels that some training samples have and others lack."""
        learnt = self._learnt_on(np.arange(len(self.indicator)))
        both: npt.NDArray[np.bool_] = learnt.any(axis=0) > learnt.all(axis=0)
        return both

    def _learnt_on(self, samples: _Samples) -> Indicator:
        """Return the labels of the `samples` with positive weight."""
        return self.indicator[samples if self.weights is None else samples[self.weights[samples] > 0]]

    def columns(self, estimator: Any) -> npt.NDArray[Any]:
        """Return the name of each column of scores."""
        return self.names

    def judged(self, folds: list[Fold], columns: npt.NDArray[Any]) -> dict[str, Any]:
        """Return all scored samples, and which scores are of labels that their model could learn."""
        scores = np.concatenate([to_numpy(fold.response.scores) for fold in folds])
        seen = np.array([fold.response.known_columns() for fold in folds])
        return _judged(self, folds, scores=scores, seen=seen, kept=[np.ones(len(fold.samples), bool) for fold in folds])


Targets: TypeAlias = ClassTargets | LabelTargets


def targets_of(y: ArrayLike, sample_weight: ArrayLike | None) -> Targets:
    """Return the targets for labels (n,) or an indicator (n, L)."""
    if not is_multilabel(y):
        return class_targets(y, sample_weight)
    indicator = check_indicator(y)
    own = y.tocsr() if hasattr(y, "tocsr") else indicator.astype(np.int64)
    weights = check_sample_weight(sample_weight, like=np.zeros(len(indicator)))
    return LabelTargets(own, indicator, label_names(y, n_labels=indicator.shape[1]), weights)


def class_targets(y: ArrayLike, sample_weight: ArrayLike | None) -> ClassTargets:
    """Return the targets for labels (n,), of at least two classes with positive weight."""
    y = on_host(y)
    values = to_numpy(y, name="y")
    if values.ndim > 0:  # scalars and None raise below
        check_present("y", values)
    if values.dtype.kind == "f":
        assert_all_finite(values, input_name="y")
    check_classification_targets(y)
    labels = column_or_1d(y, warn=True)
    weights = check_sample_weight(sample_weight, like=np.zeros(len(labels)))
    present = distinct_labels("y", labels)
    if len(present) < 2:
        raise ValueError(f"y must hold at least two classes; got one class, {abridged(present)}")
    if weights is not None and len(np.unique(labels[weights > 0])) < 2:
        raise ValueError("y must hold at least two classes of positive sample_weight; got one class")
    return ClassTargets(labels, present, weights)


def require_alike(y: Any, *, n_labels: int | None) -> None:
    """Raise unless `y` is an indicator of `n_labels` labels, or one label per sample if None."""
    if is_multilabel(y) != (n_labels is not None):
        one, several = "labels (n,)", "an indicator (n, L)"
        expected, got = (one, several) if n_labels is None else (several, one)
        raise ValueError(f"y must be {expected}, as in fit; got {got}")
    shape = tuple(y.shape) if hasattr(y, "shape") else np.shape(y)
    if n_labels is not None and shape[1] != n_labels:
        raise ValueError(f"y must have {n_labels} columns, one for each label of fit; got shape {shape}")


def _judged(
    targets: Targets,
    folds: list[Fold],
    *,
    scores: npt.NDArray[Any],
    seen: npt.NDArray[np.bool_],
    kept: list[npt.NDArray[np.bool_]],
) -> dict[str, Any]:
    """Return the scored samples that are `kept` in each fold.

    `known` (n, K) is False for scores of columns that the model of the fold has not `seen` (folds, K).
    """
    chosen, sizes = np.concatenate(kept), [int(mask.sum()) for mask in kept]
    samples = np.concatenate([fold.samples for fold in folds])[chosen]
    every = np.broadcast_to(np.True_, (len(samples), seen.shape[1]))  # takes no memory
    known = every if seen.all() else np.repeat(seen, sizes, axis=0)
    return {
        "scores": scores if chosen.all() else scores[chosen],
        "y": take_samples(targets.y, samples),
        "sample_weight": None if targets.weights is None else targets.weights[samples],
        "rows": samples,
        "fold": np.repeat(np.arange(len(folds)), sizes),
        "known": known,
    }


def systematic_splits(strata: npt.NDArray[np.int64], cv: float | None, *, seed: Any) -> list[Split]:
    """Split samples into `cv` folds (None: five), or hold out a proportion; each stratum is spread evenly.

    Samples are sorted by stratum, and fold i gets every `cv`-th of them. A stratum may have a single sample. Within a
    stratum the samples of a fold are consecutive, as in `StratifiedKFold`.
    """
    every = np.arange(len(strata))
    if isinstance(cv, float):
        train, test = train_test_split(every, test_size=cv, random_state=seed)
        order = np.concatenate([train, test])
        order = order[np.argsort(strata[order], kind="stable")]
        held_out = np.diff(np.arange(len(every) + 1) * len(test) // len(every)) > 0
        return [(np.sort(order[~held_out]), np.sort(order[held_out]))]
    n_folds = 5 if cv is None else int(cv)
    turns = every % max(n_folds, 1)
    order = np.argsort(strata, kind="stable")
    fold_of = np.empty_like(every)
    fold_of[order] = turns[np.lexsort((turns, strata[order]))]
    by_fold = np.argsort(fold_of, kind="stable")
    return [(np.sort(by_fold[train]), np.sort(by_fold[test])) for train, test in KFold(n_folds).split(every)]


def fit_fold(
    estimator: Any,
    X: Any,
    targets: Targets,
    *,
    split: Split,
    fit_params: Mapping[str, Any],
    response_method: str,
    announce: str | None,
    task: FitTask,
) -> Fold:
    """Fit on the training samples of `split`, and score the validation samples."""
    train, test = split
    begin = perf_counter()
    with task.running(None if is_frozen(estimator) else estimator):
        targets.fit(estimator, take_samples(X, train), train, **take_params(X, fit_params, train))
    learnt = None if is_frozen(estimator) else train
    response = targets.respond(estimator, take_samples(X, test), response_method=response_method, trained_on=learnt)
    if announce is not None:
        seconds = perf_counter() - begin
        print(f"{announce}: fitted on {len(train)} samples, scored {len(test)}, {seconds:.1f} s", flush=True)
    return Fold(estimator, response, np.asarray(test))


def samples_with_evidence(judged: Mapping[str, Any], classes: npt.NDArray[Any], *, every: bool) -> dict[str, Any]:
    """Return the samples whose model had seen all tuned classes: those with judged samples, or `every` class.

    A model cannot predict a class that it has not seen, so its samples would add no false positives of the class. If
    no model had seen all of these classes, the classes with the fewest samples are dropped.
    """
    known, weights = judged["known"], judged["sample_weight"]
    if known is None or known.all():
        return dict(judged)
    labels = judged["y"] if weights is None else judged["y"][weights > 0]
    support = np.array([np.count_nonzero(labels == label) for label in classes])
    wanted = np.argsort(-support, kind="stable")[: len(classes) if every else np.count_nonzero(support)]
    kept = known[:, wanted].all(axis=1)
    while not (every or kept.any()) and len(wanted) > 2:
        wanted = wanted[:-1]
        kept = known[:, wanted].all(axis=1)
    if len(np.unique(judged["y"][kept if weights is None else kept & (weights > 0)])) < 2:
        raise ValueError(
            "cv must leave samples of at least two classes whose models had seen "
            f"{'every class, as an ImbalanceState needs it' if every else 'both'}. Use folds that spread the samples "
            "of each class, such as StratifiedKFold, or fewer of them"
        )
    return {name: part if part is None else part[kept] for name, part in judged.items()}


def counted_once(judged: Mapping[str, Any], *, weighing: bool) -> dict[str, Any]:
    """Return the arguments of the tuner's fit, so that a sample with several scores counts once.

    The scores of a sample share its weight and are one group. Without `weighing` only its first score is used.
    """
    chosen = {name: judged[name] for name in ("scores", "y", "sample_weight", "groups", "cost_matrix", "known")}
    samples, weights = judged["rows"], judged["sample_weight"]
    n_scores = np.bincount(samples)[samples]
    if (n_scores == 1).all():
        return chosen
    if not weighing:
        first = np.sort(np.unique(samples, return_index=True)[1])
        return {name: None if values is None else take_samples(values, first) for name, values in chosen.items()}
    chosen["sample_weight"] = (1.0 if weights is None else weights) / n_scores
    chosen["groups"] = samples if judged["groups"] is None else judged["groups"]
    return chosen
