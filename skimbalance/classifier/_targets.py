"""Targets of a classifier: multiclass and multilabel, behind one interface."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Protocol, Self, cast

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedShuffleSplit, check_cv

from skimbalance._core.array_api import to_numpy
from skimbalance._core.sklearn import take_rows
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_sample_weight, is_multilabel
from skimbalance.classifier._base import check_targets, classes_by_columns, classes_for, fitted, require_known
from skimbalance.classifier._folds import Fold, Split, judged_samples, known_scores, systematic_splits
from skimbalance.classifier.response import Response, respond, respond_labels, sure_of
from skimbalance.estimation import FitSpec
from skimbalance.nn import ends_in_net
from skimbalance.tuner.checks import check_spec
from skimbalance.tuner.labels import Indicator, check_indicator, rarities
from skimbalance.tuner.labels.objective import check_label_spec, label_names

__all__ = ["ClassTargets", "LabelTargets", "Targets", "require_alike", "targets_of"]

_Floats = npt.NDArray[np.float64]


class Targets(Protocol):
    """The targets of a fit."""

    @property
    def y(self) -> Any:
        """The targets that estimators are trained on."""

    def check_goals(self, classifier: Any) -> None:
        """Raise if objective or constraints of the classifier are invalid for these targets."""

    def known_to(self, estimator: Any, X: Any, *, response_method: str) -> Self:
        """Return the targets with the classes of an estimator that is already trained."""

    def learnt_by(self, estimator: Any) -> Self:
        """Return the targets in the form that an unfitted estimator is trained on."""

    def splits(self, cv: Any, X: Any, *, seed: Any, **params: Any) -> list[Split]:
        """Return the samples to fit on and the samples to score, for each fold."""

    def fit(self, estimator: Any, X: Any, samples: npt.NDArray[np.intp] | None = None, **params: Any) -> Any:
        """Fit the estimator on `X`, which are these samples of all."""

    def respond(
        self, estimator: Any, X: Any, *, response_method: str, trained_on: npt.NDArray[np.intp] | None = None
    ) -> Response:
        """Return the scores of a fitted estimator."""

    def seen(self) -> npt.NDArray[np.bool_] | None:
        """Return which columns a model of all samples can learn, None if all."""

    def columns(self, estimator: Any) -> npt.NDArray[Any]:
        """Return the name of each column of scores."""

    def judged(self, folds: list[Fold], columns: npt.NDArray[Any]) -> dict[str, Any]:
        """Return the samples that offsets are fitted on."""


def targets_of(y: ArrayLike, sample_weight: ArrayLike | None) -> Targets:
    """Return the targets for labels (n,) or an indicator (n, L)."""
    if not is_multilabel(y):
        labels, present, weights = check_targets(y, sample_weight)
        return ClassTargets(labels, present, weights)
    indicator = check_indicator(y)
    own = y.tocsr() if hasattr(y, "tocsr") else indicator.astype(np.int64)
    weights = check_sample_weight(sample_weight, like=np.zeros(len(indicator)))
    return LabelTargets(own, indicator, label_names(y, n_labels=indicator.shape[1]), weights)


def require_alike(y: Any, *, n_labels: int | None) -> None:
    """Raise unless `y` is an indicator of `n_labels` labels, or one label per sample if None."""
    if is_multilabel(y) != (n_labels is not None):
        one, several = "labels (n,)", "an indicator (n, L)"
        expected, got = (one, several) if n_labels is None else (several, one)
        raise ValueError(f"y must be {expected}, as in fit; got {got}")
    shape = tuple(y.shape) if hasattr(y, "shape") else np.shape(y)
    if n_labels is not None and shape[1] != n_labels:
        raise ValueError(f"y must have {n_labels} columns, one for each label of fit; got shape {shape}")


def _spec(classifier: Any, *names: str) -> FitSpec:
    return FitSpec(**{name: getattr(classifier, name) for name in ("objective", "constraints", *names)})


@dataclass(frozen=True, eq=False)
class ClassTargets:
    """One label per sample.

    `present` are the sorted labels. `named` are the labels of the columns if the estimator has others.
    """

    y: npt.NDArray[Any]
    present: npt.NDArray[Any]
    weights: _Floats | None
    named: npt.NDArray[Any] | None = None

    def check_goals(self, classifier: Any) -> None:
        """Raise if objective or constraints of the classifier are invalid for these classes."""
        check_spec(_spec(classifier, "pos_label"), self.present)

    def known_to(self, estimator: Any, X: Any, *, response_method: str) -> "ClassTargets":
        """Return the targets with the classes of the estimator, or of the columns of a net."""
        named = classes_by_columns(estimator, X, self.present, response_method=response_method)
        if named is not None:
            return replace(self, present=named, named=named)
        return replace(self, present=require_known(self.present, estimator))

    def learnt_by(self, estimator: Any) -> "ClassTargets":
        """Return the targets with names of the columns, if the estimator is a net."""
        return replace(self, named=classes_for(estimator, self.present))

    def splits(self, cv: Any, X: Any, *, seed: Any, **params: Any) -> list[Split]:
        """Split by classes, or as the splitter does."""
        if isinstance(cv, float):
            splitter = StratifiedShuffleSplit(n_splits=1, test_size=cv, random_state=seed)
        else:
            splitter = check_cv(cv, self.y, classifier=True)
        return list(splitter.split(X, self.y, **params))

    def fit(self, estimator: Any, X: Any, samples: npt.NDArray[np.intp] | None = None, **params: Any) -> Any:
        """Fit the estimator on labels, or on the numbers of their columns."""
        return fitted(estimator, X, self.y if samples is None else self.y[samples], self.named, **params)

    def respond(
        self, estimator: Any, X: Any, *, response_method: str, trained_on: npt.NDArray[np.intp] | None = None
    ) -> Response:
        """Return a score for each class of the estimator."""
        response = respond(estimator, X, response_method=response_method, classes=self.named)
        if trained_on is None:
            return response
        learnt = trained_on if self.weights is None else trained_on[self.weights[trained_on] > 0]
        return response._replace(seen=np.isin(response.classes, self.y[learnt]))

    def seen(self) -> None:
        """Return None: a class is one that the model was trained on."""

    def columns(self, estimator: Any) -> npt.NDArray[Any]:
        """Return the classes."""
        return require_known(self.present, estimator) if self.named is None else self.named

    def judged(self, folds: list[Fold], columns: npt.NDArray[Any]) -> dict[str, Any]:
        """Return the scored samples whose class the model of their fold had seen."""
        return judged_samples(folds, self.y, self.weights, columns)


@dataclass(frozen=True, eq=False)
class LabelTargets:
    """Multilabel: estimators get `y` (n, L), dense or sparse; `names` are those of the labels."""

    y: Any
    indicator: Indicator
    names: npt.NDArray[Any]
    weights: _Floats | None

    def check_goals(self, classifier: Any) -> None:
        """Raise if objective or constraints of the classifier are invalid for these labels."""
        check_label_spec(_spec(classifier, "pos_label", "class_prior", "solver"), self.names)

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

    def fit(self, estimator: Any, X: Any, samples: npt.NDArray[np.intp] | None = None, **params: Any) -> Any:
        """Fit the estimator on the indicator."""
        return estimator.fit(X, self.y if samples is None else take_rows(self.y, samples), **params)

    def respond(
        self, estimator: Any, X: Any, *, response_method: str, trained_on: npt.NDArray[np.intp] | None = None
    ) -> Response:
        """Return a score for each label."""
        response = respond_labels(estimator, X, response_method=response_method, classes=self.names)
        return response if trained_on is None else sure_of(response, known=self._learnt_on(trained_on))

    def seen(self) -> npt.NDArray[np.bool_]:
        """Return the labels that some training samples have and others lack."""
        learnt = self._learnt_on(np.arange(len(self.indicator)))
        both: npt.NDArray[np.bool_] = learnt.any(axis=0) > learnt.all(axis=0)
        return both

    def _learnt_on(self, samples: npt.NDArray[np.intp]) -> Indicator:
        """Return the labels of the `samples` with positive weight."""
        return self.indicator[samples if self.weights is None else samples[self.weights[samples] > 0]]

    def columns(self, estimator: Any) -> npt.NDArray[Any]:
        """Return the names of the labels."""
        return self.names

    def judged(self, folds: list[Fold], columns: npt.NDArray[Any]) -> dict[str, Any]:
        """Return all scored samples, and which scores are of labels that their model could learn."""
        samples, sizes = np.concatenate([fold.samples for fold in folds]), [len(fold.samples) for fold in folds]
        return {
            "scores": np.concatenate([to_numpy(fold.response.scores) for fold in folds]),
            "y": take_rows(self.y, samples),
            "sample_weight": None if self.weights is None else self.weights[samples],
            "rows": samples,
            "fold": np.repeat(np.arange(len(folds)), sizes),
            "known": known_scores(np.array([fold.response.known_columns() for fold in folds]), sizes),
        }
