"""Conversion of fitted classifiers to ONNX by skl2onnx."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.frozen import FrozenEstimator

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import Kind
from skimbalance._core.validation import shown
from skimbalance.classifier import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.classifier.response import kind_of

try:
    from onnx import TensorProto
    from skl2onnx import update_registered_converter
    from skl2onnx._parse import _parse_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, SequenceType, StringTensorType
    from skl2onnx.common.utils_classifier import get_label_classes
except ImportError as error:
    raise ImportError("skimbalance.onnx needs skl2onnx: pip install 'skimbalance[onnx]'") from error

__all__ = ["register_converters"]


def register_converters() -> None:
    """Register converters for the classifiers of this package with skl2onnx.

    Afterwards :func:`skl2onnx.to_onnx` converts a fitted :class:`TunedOffsetClassifierCV` or
    :class:`FixedOffsetClassifier`, alone or in a pipeline. The wrapped classifier needs a converter of its own.

    Raises
    ------
    ImportError
        When this module is imported, if skl2onnx is missing.
    NotImplementedError
        From the conversion, for a classifier with a `reject_label`, and for multilabel scores by `decision_function`.

    Notes
    -----
    The first output of the graph has the labels of `predict`, the second the probabilities (n, K) of `predict_proba`.
    The options ``zipmap``, ``output_class_labels`` and ``nocl`` of skl2onnx apply. Boolean labels become 0 and 1.

    *Precision.* Graphs compute scores in the precision of their input, most often single precision. The decision for a
    sample can differ if its score is within rounding of a threshold. The same holds for a multiclass sample if its two
    highest shifted scores are.

    References
    ----------
    `Write your own converter <https://onnx.ai/sklearn-onnx/auto_tutorial/plot_icustom_converter.html>`_ in the
    documentation of skl2onnx.

    Examples
    --------
    >>> from skl2onnx import to_onnx
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance import FixedOffsetClassifier
    >>> from skimbalance.onnx import register_converters
    >>> register_converters()
    >>> X, y = make_classification(weights=[0.9], random_state=0)
    >>> clf = FixedOffsetClassifier(LogisticRegression()).fit(X, y)
    >>> graph = to_onnx(clf, X[:1].astype("float32"), options={"zipmap": False}).graph
    >>> [output.name for output in graph.output]
    ['label', 'probabilities']
    """
    options = {"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]}
    for kind in (TunedOffsetClassifierCV, FixedOffsetClassifier):
        update_registered_converter(kind, f"Skimbalance{kind.__name__}", _set_types, _convert, options=options)


def _set_types(operator: Any) -> None:
    """Set the types and shapes of the two outputs."""
    classifier = operator.raw_operator
    n_samples, n_classes = operator.inputs[0].get_first_dimension(), len(classifier.classes_)
    of_labels = StringTensorType if _labels(operator.scope_inst, classifier).dtype.kind == "U" else Int64TensorType
    operator.outputs[0].set_type(of_labels([n_samples, n_classes] if classifier.multilabel_ else [n_samples]))
    operator.outputs[1].type.shape = [n_samples, n_classes]


def _labels(scope: Any, classifier: Any) -> npt.NDArray[Any]:
    """Return the labels as strings or int64, with the option `nocl` their codes."""
    labels = np.asarray(get_label_classes(scope, classifier))
    return labels.astype(np.int64 if labels.dtype.kind in "biuf" else np.str_)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a fitted classifier to the graph."""
    classifier = operator.raw_operator
    if getattr(classifier, "rejection_", None) is not None:
        raise NotImplementedError(
            f"a classifier with reject_label={shown(classifier.reject_label)} has no converter. Convert the classifier "
            "that retune(X, y, reject_label=(), constraints=()) returns, which decides every sample"
        )
    kind = classifier.tuner_.kind if hasattr(classifier, "tuner_") else kind_of(classifier.estimator_)
    is_double = isinstance(operator.outputs[1].type, DoubleTensorType)
    graph = _Graph(scope, container, np.dtype(np.float64 if is_double else np.float32))
    scores, n_classes = _add_scores(graph, operator, kind), len(classifier.classes_)
    if classifier.multilabel_:
        codes, proba = _add_thresholds(graph, scores, classifier)
    else:
        codes, proba = (_add_binary if n_classes == 2 else _add_argmax)(graph, scores, classifier, kind)
    label, probabilities = (output.full_name for output in operator.outputs)
    graph.node("Identity", proba, output=probabilities)
    if classifier.multilabel_:
        graph.node("Identity", codes, output=label)
    else:
        graph.node("Gather", graph.constant(_labels(scope, classifier)), codes, output=label)


@dataclass(frozen=True)
class _Graph:
    """Adds nodes and constants to a graph; numbers have the `dtype` of its scores."""

    scope: Any
    container: Any
    dtype: np.dtype[np.floating[Any]]

    def node(self, op_type: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        result: str = output or self.scope.get_unique_variable_name(op_type.lower())
        name = self.scope.get_unique_operator_name(op_type)
        self.container.add_node(op_type, list(inputs), result, name=name, **attributes)
        return result

    def constant(self, values: npt.ArrayLike) -> str:
        """Add a constant, and return its name."""
        array = np.asarray(values)
        tensor_type, convert = _TENSORS[array.dtype.kind]
        if array.dtype.kind == "f" and self.dtype == np.float32:
            tensor_type = TensorProto.FLOAT
        name: str = self.scope.get_unique_variable_name("constant")
        self.container.add_initializer(name, tensor_type, array.shape, [convert(value) for value in array.ravel()])
        return name

    def number(self, values: npt.ArrayLike) -> str:
        """Add floating numbers, and return their name."""
        return self.constant(np.asarray(values, dtype=self.dtype))

    def column(self, scores: str, column: int, *, axis: int = 1) -> str:
        """Return one column (n, 1)."""
        return self.node("Gather", scores, self.constant(np.array([column])), axis=axis)

    def log(self, proba: str, *, lowest: float) -> str:
        """Return logarithms, of a probability of zero the `lowest`."""
        is_positive = self.node("Greater", proba, self.number(0.0))
        return self.node("Where", is_positive, self.node("Log", proba), self.number(lowest))

    def beside_zero(self, log_odds: str, decided: str) -> str:
        """Return log-odds whose sign is that of the decision, also at a tie."""
        step = 4 * float(np.finfo(self.dtype).eps)
        above, below = (self.node(op, log_odds, self.number(number)) for op, number in (("Max", step), ("Min", -step)))
        return self.node("Where", decided, above, below)


_TENSORS: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "f": (TensorProto.DOUBLE, float),
    "i": (TensorProto.INT64, int),
    "U": (TensorProto.STRING, lambda text: str(text).encode("utf-8")),
}
"""The type of a constant, and what converts its values."""


def _add_scores(graph: _Graph, operator: Any, kind: Kind) -> str:
    """Add the wrapped classifier, and return the name of its scores (n, K)."""
    classifier = operator.raw_operator
    estimator = classifier.estimator_
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    last = estimator
    while hasattr(last, "steps"):
        last = last.steps[-1][1]
    if kind == "logits" and (classifier.multilabel_ or not graph.container.has_options(last, "raw_scores")):
        raise NotImplementedError(
            f"{'multilabel scores' if classifier.multilabel_ else 'scores'} by decision_function of "
            f"{type(last).__name__} have no converter. Wrap a classifier with predict_proba"
        )
    for name, value in (("zipmap", False), ("raw_scores", kind == "logits")):
        for model in (estimator, last):
            if graph.container.has_options(model, name):
                graph.scope.add_options(id(model), {name: value})
                graph.container.add_options(id(model), {name: value})
    _, scores = _parse_sklearn(graph.scope, estimator, operator.inputs)
    if classifier.multilabel_:
        return _add_label_columns(graph, scores, last, n_labels=len(classifier.classes_))
    return graph.node("Cast", scores.full_name, to=_type_of(graph))


def _type_of(graph: _Graph) -> int:
    """Return the type of tensors of floating numbers."""
    return int(TensorProto.DOUBLE if graph.dtype == np.float64 else TensorProto.FLOAT)


def _add_label_columns(graph: _Graph, scores: Any, estimator: Any, *, n_labels: int) -> str:
    """Return the probabilities (n, L) that labels are present, of a sequence or an array (L, n, 2) of pairs."""
    name = scores.full_name
    if isinstance(scores.type, SequenceType):
        pairs = [graph.node("SequenceAt", name, graph.constant(np.array(label))) for label in range(n_labels)]
        name = graph.node("Concat", *(graph.column(pair, 1) for pair in pairs), axis=1)
    elif isinstance(getattr(estimator, "classes_", None), list):
        second = graph.node("Gather", name, graph.constant(np.array(1)), axis=2)
        name = graph.node("Transpose", second, perm=[1, 0])
    return graph.node("Cast", name, to=_type_of(graph))


def _add_binary(graph: _Graph, scores: str, classifier: Any, kind: Kind) -> tuple[str, str]:
    """Return the codes and the probabilities of a binary classifier."""
    offsets = to_numpy(classifier.offsets_)
    cut = float(offsets[0]) - float(offsets[1])
    second = graph.column(scores, -1)
    if kind == "logits":
        decided = graph.node("GreaterOrEqual", second, graph.number(cut))
        log_odds = second
    else:
        first, lowest = graph.column(scores, 0), _lowest(offsets)
        threshold = graph.dtype.type(classifier.threshold_)
        decided = graph.node("GreaterOrEqual", second, graph.number(threshold))
        if threshold == 1:  # the other probability separates those that are rounded to one
            decided = graph.node("And", decided, graph.node("LessOrEqual", first, graph.number(expit(-cut))))
        log_odds = graph.node("Sub", graph.log(second, lowest=lowest), graph.log(first, lowest=lowest))
    log_odds = graph.beside_zero(graph.node("Sub", log_odds, graph.number(cut)), decided)
    columns = (graph.node("Sigmoid", each) for each in (graph.node("Neg", log_odds), log_odds))
    codes = graph.node("Reshape", graph.node("Cast", decided, to=TensorProto.INT64), graph.constant(np.array([-1])))
    return codes, graph.node("Concat", *columns, axis=1)


def _add_argmax(graph: _Graph, scores: str, classifier: Any, kind: Kind) -> tuple[str, str]:
    """Return the codes and the probabilities of a multiclass classifier."""
    offsets = to_numpy(classifier.offsets_)
    columns = scores if kind == "logits" else graph.log(scores, lowest=_lowest(offsets))
    columns = graph.node("Add", columns, graph.number(offsets[None, :]))
    return graph.node("ArgMax", columns, axis=1, keepdims=0), graph.node("Softmax", columns, axis=1)


def _add_thresholds(graph: _Graph, scores: str, classifier: Any) -> tuple[str, str]:
    """Return the indicator and the probabilities of a multilabel classifier."""
    offsets, thresholds = to_numpy(classifier.offsets_), to_numpy(classifier.threshold_)
    decided = graph.node("GreaterOrEqual", scores, graph.number(thresholds[None, :]))
    rest = graph.node("Sub", graph.number(1.0), scores)
    logs = [graph.log(each, lowest=_lowest(offsets)) for each in (scores, rest)]
    log_odds = graph.node("Add", graph.node("Sub", *logs), graph.number(offsets[None, :]))
    proba = graph.node("Sigmoid", graph.beside_zero(log_odds, decided))
    return graph.node("Cast", decided, to=TensorProto.INT64), proba


def _lowest(offsets: npt.NDArray[Any]) -> float:
    """Return the logarithm that a probability of zero counts as, for offsets in the precision of the fit."""
    return float(np.log(np.finfo(offsets.dtype).smallest_normal))
