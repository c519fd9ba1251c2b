"""The names a user sees, and what their documentation holds."""

import importlib
import importlib.util
import inspect
import pkgutil

import numpy as np
import pytest

import skimbalance
import skimbalance.metrics

PUBLIC = {
    "skimbalance": {
        "ConstraintMonitor",
        "FixedOffsetClassifier",
        "OffsetTuner",
        "TunedOffsetClassifierCV",
        "__version__",
        "imbalance_curve",
    },
    "skimbalance.metrics": {
        "Cost",
        "FBeta",
        "geometric_mean_score",
        "get_metric_names",
        "imbalance_degree_score",
        "imbalance_state",
        "worst_recall_score",
    },
    "skimbalance.scorers": {
        "imbalance_degree_scorer",
        "imbalance_state_scorer",
        "make_tuned_scorer",
        "objective_scorer",
    },
}
USERS = {
    "skimbalance.goals": {"AtLeast", "AtMost", "ImbalanceState", "Near"},
    "skimbalance.nn": {"fold_offsets", "net_logits"},
    "skimbalance.solvers": {"Search"},
}
"""What is public in modules that the package itself needs more of."""

NEED = {
    "skorch": {
        "skimbalance.callbacks": {"TunedOffsetCheckpoint", "TunedOffsets"},
        "skimbalance.callbacks._skorch": {},
        "skimbalance.nn._endings": {},
        "skimbalance.nn._output_layer": {},
    },
    "lightning": {"skimbalance.callbacks.lightning": {"TunedOffsetCallback", "load_offsets"}},
    "transformers": {
        "skimbalance.callbacks.transformers": {"TunedOffsetCallback", "fold_saved_offsets", "load_offsets"}
    },
    "skl2onnx": {"skimbalance.onnx": {"register_converters"}},
    "matplotlib": {
        "skimbalance.plotting": {
            "ClassProfileDisplay",
            "ImbalanceCurveDisplay",
            "OffsetIntervalDisplay",
            "RiskCoverageDisplay",
            "ThresholdCurveDisplay",
            "TrainingCurveDisplay",
        }
    },
}
"""What needs a library that may not be there, and what of it is public."""

MISSING = {name for library, names in NEED.items() if importlib.util.find_spec(library) is None for name in names}
for needing in NEED.values():
    PUBLIC |= {name: public for name, public in needing.items() if public and name not in MISSING}

NAMED = [
    getattr(importlib.import_module(module), name)
    for module, names in (PUBLIC | USERS).items()
    for name in sorted(names)
]
DOCUMENTED = [thing for thing in NAMED if inspect.isclass(thing) or inspect.isfunction(thing)]


def modules():
    """Every module of the package."""
    names = [m.name for m in pkgutil.walk_packages(skimbalance.__path__, "skimbalance.")]
    return [importlib.import_module(name) for name in names if not name.startswith(tuple(MISSING))]


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_exact(name):
    assert set(importlib.import_module(name).__all__) == PUBLIC[name]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_all_holds_what_a_module_defines_and_offers(module):
    if module.__name__.endswith(("_typing", "_version")):
        pytest.skip("names only")
    for name in module.__all__:
        assert hasattr(module, name)
    defined = {
        name
        for name, thing in vars(module).items()
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == module.__name__
    }
    assert {name for name in defined if not name.startswith("_")} <= set(module.__all__)


@pytest.mark.parametrize("thing", DOCUMENTED, ids=lambda thing: thing.__name__)
def test_public_names_have_an_example(thing):
    assert ">>>" in thing.__doc__


@pytest.mark.parametrize("thing", DOCUMENTED, ids=lambda thing: thing.__name__)
def test_docstrings_are_numpydoc(thing):
    validate = pytest.importorskip("numpydoc.validate").validate
    # Not asked for: extended summaries, examples and "see also" everywhere, blank-line style of sections.
    waived = {"ES01", "EX01", "SA01", "SA04", "GL01", "GL02", "GL03", "RT02", "RT03", "RT04", "RT05", "SS06", "YD01"}
    names = [f"{thing.__module__}.{thing.__qualname__}"]
    if hasattr(thing, "get_params") or hasattr(thing, "plot"):
        names += [
            f"{names[0]}.{name}"
            for name, method in inspect.getmembers(thing, inspect.isroutine)
            if not name.startswith(("_", "on_"))  # skorch calls these, users do not
            and "skimbalance" in (method.__module__ or "")
            and name in vars(thing)
        ]
    for name in names:
        problems = [f"{code} {text}" for code, text in validate(name)["errors"] if code not in waived]
        assert not problems, f"{name}: {problems}"


@pytest.mark.parametrize("thing", DOCUMENTED, ids=lambda thing: thing.__name__)
def test_at_most_two_positional_arguments(thing):
    positional = [
        p for p in inspect.signature(thing).parameters.values() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert len(positional) <= 2


def undocumented(thing):
    """Return the public attributes of an object that its docstring does not name."""
    ClassDoc = pytest.importorskip("numpydoc.docscrape").ClassDoc
    doc = ClassDoc(type(thing))
    names = {
        name.strip() for part in ("Parameters", "Attributes") for each in doc[part] for name in each.name.split(",")
    }
    return {name for name in vars(thing) if not name.startswith("_")} - names


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UncertainShiftWarning")
def test_docstrings_name_every_fitted_attribute():
    pd = pytest.importorskip("pandas")
    from sklearn.linear_model import LogisticRegression

    y = np.arange(60) % 3 == 0
    X = pd.DataFrame({"x": y + np.sin(np.arange(60))})
    tuned = skimbalance.TunedOffsetClassifierCV(LogisticRegression(), store_cv_results=True).fit(X, y)
    fixed = skimbalance.FixedOffsetClassifier(LogisticRegression()).fit(X, y)
    for fitted in (tuned, fixed, tuned.tuner_, tuned.tuner_.adapt_to(tuned.cv_results_["scores"])):
        assert not undocumented(fitted)
