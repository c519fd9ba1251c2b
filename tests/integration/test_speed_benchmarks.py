"""What the speed benchmarks count and compare, on small problems with known results."""

import importlib
import sys
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import differential_evolution

from skimbalance import OffsetTuner

ROOT = Path(__file__).parents[2]

SNIPPET = """
import numpy as np
def run(a, places):
    total = a + 1
    taken = total[places]
    taken[0] = 2.5
    taken *= 2
    parts = {"a": a}
    first = float(parts["a"].max())
    return np.sort(total[1:], axis=0), -taken, first + 1
"""


@pytest.fixture
def speed(import_benchmark):
    """Return a function that imports a script, which is run from the root of the repository."""
    return lambda name: import_benchmark(f"speed.{name}")


def test_operations_are_counted_with_the_size_of_the_arrays(speed):
    counting, found = speed("counting"), []
    names = {"__counted__": counting._Operations(lambda name, size: found.append((name, size)))}
    tree = counting._Transformer().visit(counting.ast.parse(SNIPPET))
    exec(compile(counting.ast.fix_missing_locations(tree), "snippet", "exec"), names)
    plain = {}
    exec(SNIPPET, plain)
    arguments = np.arange(10.0)[::-1], np.array([3, 1, 2])
    for counted, expected in zip(names["run"](*arguments), plain["run"](*arguments), strict=True):
        np.testing.assert_array_equal(counted, expected)
    expected = [("add", 10), ("index", 3), ("assign", 1), ("imul", 3), ("max", 10), ("index", 9), ("sort", 9)]
    assert found == [*expected, ("usub", 3)]


def test_counting_changes_neither_offsets_nor_modules(speed):
    drawn = speed("tuners").drawn(300, 3)
    plain = OffsetTuner("f1_macro", kind="logits")
    before, found = sys.modules["skimbalance"], []
    with speed("counting").counting_package(lambda *operation: found.append(operation)) as package:
        counted = package.OffsetTuner("f1_macro", kind="logits").fit(drawn.scores, drawn.y)
    assert sys.modules["skimbalance"] is before
    np.testing.assert_array_equal(counted.offsets_, plain.fit(drawn.scores, drawn.y).offsets_)
    assert {"index", "add", "argsort"} <= {name for name, _ in found}
    assert max(size for _, size in found) >= drawn.scores.size


def test_parts_are_disjoint_and_functions_are_restored(speed):
    calls, cross_fit = speed("calls"), importlib.import_module("skimbalance.estimation._cross_fit")
    drawn, before = speed("tuners").drawn(300, 3), cross_fit.ClassCrossFit.score
    parts = calls.Parts()
    begin = calls.process_time()
    with parts.watched(calls.skimbalance):
        OffsetTuner("f1_macro", kind="logits").fit(drawn.scores, drawn.y)
    total = calls.process_time() - begin
    assert cross_fit.ClassCrossFit.score is before
    assert {"bootstraps", "folds: bootstraps", "plug-in ascent", "calibration", "draws: score"} <= set(parts.seconds)
    assert 0 < sum(parts.seconds.values()) <= total


def test_curve_compares_at_equal_time_and_at_equal_value(speed):
    curve = speed("anytime").Curve("a search", "1.0", None)
    curve.points = [("sweep", [10.0, 12.0, 11.0], 0.5), ("sweep", [20.0], 0.7), ("end", [40.0], 0.7)]
    assert np.isnan(curve.value_at(10.9))
    assert [curve.value_at(passes) for passes in (11.0, 19.0, 20.0, 100.0)] == [0.5, 0.5, 0.7, 0.7]
    assert (curve.passes_to(0.4), curve.passes_to(0.7)) == (11.0, 20.0)
    assert np.isnan(curve.passes_to(0.71))


@pytest.mark.skipif(
    "rng" not in signature(differential_evolution).parameters, reason="the baseline needs SciPy 1.15 or later"
)
@pytest.mark.parametrize("objective", ["f1_macro", "geometric_mean", "matthews_corrcoef"])
def test_search_notes_rising_values_until_that_of_its_result(speed, objective):
    anytime = speed("anytime")
    data = speed("tuners").drawn(400, 4)
    curves = anytime.Curve("ours", "", anytime.ours), anytime.Curve("theirs", "", anytime.partial(anytime.evolution, 1))
    for curve in curves:
        curve.measure(data, objective, floor_s=1e-4)
        values = [value for _, _, value in curve.points[:-1]]
        assert values == sorted(set(values))
        assert curve.points[-1][0] == "end"
        assert curve.points[-1][2] == pytest.approx(values[-1], abs=1e-9)
    assert curves[0].points[0][0] == "sweep"


def test_another_checkout_is_timed_in_its_own_process(speed, tmp_path):
    (tmp_path / "skimbalance").symlink_to(ROOT / "skimbalance")
    defaults = speed("defaults")
    task = defaults.Task("empirical", "f1_macro", 300, 3)
    with defaults.Checkout(tmp_path) as other:
        line = other.contender(task)
        line.warm_up()
        assert line.measure(budget_s=1)
    assert line.seconds[0] > 0
    assert line.achieved == defaults.score_of(task.run())
