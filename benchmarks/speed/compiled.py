"""The gain of the compiled ascent: line searches and fits with it, with array operations, and compiled by numba.

``python -m benchmarks.speed.compiled``: a minute on one core. It prints times in argmax passes.
"""

import statistics
from contextlib import contextmanager
from time import perf_counter, process_time

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.script import options
from benchmarks.speed.tuners import drawn
from skimbalance import OffsetTuner
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem, _compiled, prior_offsets
from skimbalance.solvers._compiled import compiled, wide_columns
from skimbalance.solvers._line_search import sweep_objective
from skimbalance.solvers._neighbourhood import around, top_two

SIZES = ((1_000, 4), (2_500, 5), (10_000, 10), (20_000, 10), (10_000, 50))


@numba.njit(cache=False)
def macro_f1_along(
    starts, samples, mine, classes, first, first_value, second, second_value, y, hits, predicted, support
):
    """Return the best macro-F1 (K,) along the line of each class: gather, sort and count, only for this metric."""
    n_classes = support.shape[0]
    best = np.empty(n_classes)
    h, p = hits.copy(), predicted.copy()
    total = 0.0
    for k in range(n_classes):
        total += 2 * hits[k] / (predicted[k] + support[k])
    for k in classes:
        part = samples[starts[k] : starts[k + 1]]
        margins, runner_up = _margins(k, part, mine[starts[k] :], first, first_value, second, second_value)
        now = total
        for j in range(part.size):  # all samples to their runner-up classes
            if first[part[j]] == k:
                now += _moved(h, p, support, k, runner_up[j], y[part[j]])
        highest = now
        for j in np.argsort(margins):
            now += _moved(h, p, support, runner_up[j], k, y[part[j]])
            highest = max(highest, now)
        for j in range(part.size):  # and back
            if first[part[j]] != k:
                _moved(h, p, support, k, runner_up[j], y[part[j]])
        best[k] = highest / n_classes
    return best


@numba.njit(cache=False)
def _margins(k, part, mine, first, first_value, second, second_value):
    """Return the margins of a class in its samples, and their runner-up classes."""
    margins, runner_up = np.empty(part.size), np.empty(part.size, np.int64)
    for j in range(part.size):
        i = part[j]
        held = first[i] == k
        runner_up[j] = second[i] if held else first[i]
        margins[j] = (second_value[i] if held else first_value[i]) - mine[j]
    return margins, runner_up


@numba.njit(cache=False)
def _moved(h, p, support, before, after, label):
    """Move a sample from one class to another; return the change of the sum of F1."""
    old = 2 * h[before] / (p[before] + support[before]) + 2 * h[after] / (p[after] + support[after])
    p[before] -= 1
    p[after] += 1
    h[before] -= label == before
    h[after] += label == after
    return 2 * h[before] / (p[before] + support[before]) + 2 * h[after] / (p[after] + support[after]) - old


def timed(act, repeats=7):
    """Return the median processor time of a call, and its result."""
    seconds = []
    for _ in range(repeats + 1):
        begin = process_time()
        result = act()
        seconds.append(process_time() - begin)
    return statistics.median(seconds[1:]), result


@contextmanager
def by_arrays():
    """Fit without compiled code."""
    kernel, _compiled._kernel = _compiled._kernel, None
    try:
        yield
    finally:
        _compiled._kernel = kernel


def fit(objective, data, **options):
    """Return a function that fits a tuner."""
    return lambda: OffsetTuner(objective, kind="logits", **options).fit(data.scores, data.y)


def compare(n_samples, n_classes):
    """Print the times of one size."""
    data = drawn(n_samples, n_classes)
    truth = Truth.from_codes(data.y, n_classes=n_classes)
    problem = Problem(data.scores, truth, get_metric("f1_macro"))
    offsets, classes = prior_offsets(truth.support, tau=0.75), np.arange(n_classes)
    floor, _ = timed(lambda: data.scores.argmax(1))
    print(f"n = {n_samples:,}, K = {n_classes:,}; in argmax passes of {floor * 1e3:.2f} ms")

    place = around(problem, offsets)
    counts = problem.count(place.first)
    by_array, _ = timed(lambda: [sweep_objective(place.sorted_sweeps(classes[[k]]), problem, counts) for k in classes])
    kernel = compiled(problem)
    kernel.start(wide_columns(problem), offsets, -np.inf, np.inf)
    least = iter(np.geomspace(1e9, 1, 20))  # if it is lower than before, the kernel searches all classes again
    own, _ = timed(lambda: kernel.sweep(classes, next(least)))
    starts = n_samples * np.arange(n_classes + 1)
    arguments = (
        *(starts, np.tile(np.arange(n_samples), n_classes), data.scores.T.ravel(), classes),
        *top_two(data.scores + offsets),
        *(data.y, counts.hits, counts.predicted, counts.support),
    )
    begin = perf_counter()
    macro_f1_along(*arguments)
    first_call = perf_counter() - begin
    by_numba, _ = timed(lambda: macro_f1_along(*arguments))
    print(
        f"  line searches of all classes: arrays {by_array / floor:.0f}, compiled {own / floor:.1f}, numba "
        f"{by_numba / floor:.0f} with a first call of {first_call:.1f} s"
    )
    for name, parameters in (("in-sample", {"estimate": "empirical", "confidence_level": None}), ("default", {})):
        run = fit("f1_macro", data, **parameters)
        inside, _ = timed(run, repeats=3)
        with by_arrays():
            outside, _ = timed(run, repeats=3)
        print(
            f"  {name} fit: arrays {outside / floor:.0f}, compiled {inside / floor:.0f}, {outside / inside:.1f} times"
        )


def main():
    """Print the times of all sizes."""
    options(__doc__).parse_args()
    with threadpool_limits(1):
        for size in SIZES:
            compare(*size)


if __name__ == "__main__":
    main()
