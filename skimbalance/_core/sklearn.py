"""The only module that imports private names of scikit-learn, all available since version 1.6."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, NamedTuple, Self, TypeVar

from sklearn.base import _fit_context
from sklearn.metrics._scorer import _BaseScorer
from sklearn.multiclass import _ConstantPredictor
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions
from sklearn.utils._set_output import _SetOutputMixin
from sklearn.utils.metadata_routing import _routing_enabled
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.validation import _check_method_params

from skimbalance._core.validation import names_page

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before version 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Estimators without callbacks."""


__all__ = [
    "CallbackSupportMixin",
    "FitTask",
    "HasMethods",
    "Interval",
    "RealNotInt",
    "ScorerParts",
    "SetOutputMixin",
    "StrOptions",
    "forget_fit",
    "is_constant",
    "one_blas_thread",
    "routing_enabled",
    "scorer_parts",
    "take_params",
    "take_samples",
    "validate_parameters",
    "validates_parameters",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])

_LIMITS_BLAS = Lock()

SetOutputMixin = _SetOutputMixin
"""Makes `transform` return data frames where `set_output` or the configuration of scikit-learn requests them."""


@dataclass(frozen=True)
class FitTask:
    """A task of the fit of `owner`, for callbacks of scikit-learn; `context` is None before version 1.9."""

    owner: Any
    context: Any

    @classmethod
    def root(cls, owner: Any, *, max_subtasks: int | None) -> Self:
        """Return the task of a whole fit, which `validates_parameters` must decorate; None is an unknown number."""
        begins = hasattr(owner, "set_callbacks")
        return cls(owner, owner._init_callback_context(max_subtasks=max_subtasks) if begins else None)

    def subtask(self, name: str, **options: Any) -> "FitTask":
        """Return a part of the task; the options are those of `CallbackContext.subcontext`."""
        return replace(self, context=self.context and self.context.subcontext(task_name=name, **options))

    @contextmanager
    def running(self, estimator: Any = None) -> Iterator[None]:
        """Call the hooks for the begin and the end of the task, in which the `estimator` is fitted."""
        if self.context is None:
            yield
            return
        with nullcontext() if estimator is None else self.context.propagate_callback_context(estimator):
            self.context.call_on_fit_task_begin(estimator=self.owner)
            yield
            self.context.call_on_fit_task_end(estimator=self.owner)


def validates_parameters(fit: _Method) -> _Method:
    """Check the parameters of the estimator against its `_parameter_constraints` before `fit` runs."""
    wrapped: _Method = _fit_context(prefer_skip_nested_validation=False)(fit)
    return names_page(wrapped)


def validate_parameters(estimator: Any) -> None:
    """Check the parameters of the estimator against its `_parameter_constraints`."""
    estimator._validate_params()


def take_samples(X: Any, samples: Any) -> Any:
    """Return the given samples of an array, a sparse matrix or a data frame."""
    return _safe_indexing(X, samples)


def take_params(X: Any, params: Mapping[str, Any], samples: Any) -> dict[str, Any]:
    """Return `params` with those that have a value for each sample of `X` cut down to `samples`."""
    taken: dict[str, Any] = _check_method_params(X, params, indices=samples)
    return taken


def forget_fit(estimator: Any) -> None:
    """Remove the fitted attributes of an earlier fit."""
    for name in [name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")]:
        delattr(estimator, name)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, which is faster for small matrices on a busy machine.

    Most libraries have one limit for the process. One thread at a time sets and restores it; others find it set, or run
    without it. Libraries that use OpenMP have a limit for each thread, which that thread sets and restores.
    """
    controller = _get_threadpool_controller()
    with ExitStack() as limits:
        limits.enter_context(controller.select(threading_layer="openmp").limit(limits=1, user_api="blas"))
        if _LIMITS_BLAS.acquire(blocking=False):
            limits.callback(_LIMITS_BLAS.release)
            limits.enter_context(controller.limit(limits=1, user_api="blas"))
        yield


def is_constant(estimator: Any) -> bool:
    """Return whether one-vs-rest uses this estimator for a label that all or none of the training samples have."""
    return isinstance(estimator, _ConstantPredictor)


def routing_enabled() -> bool:
    """Return whether metadata routing is enabled."""
    return bool(_routing_enabled())


class ScorerParts(NamedTuple):
    """Parts of a scorer: `sign * function(y_true, y_pred, **options)`, and whether it needs predicted labels."""

    function: Callable[..., float]
    options: Mapping[str, Any]
    sign: int
    of_labels: bool


def scorer_parts(scorer: Any) -> ScorerParts | None:
    """Return the parts of a scorer from `make_scorer`, None for anything else."""
    if not isinstance(scorer, _BaseScorer):
        return None
    return ScorerParts(scorer._score_func, scorer._kwargs, scorer._sign, scorer._response_method == "predict")
