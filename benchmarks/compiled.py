"""What a compiled kernel would gain: the solver's two hot loops in numba, beside what the package does with NumPy.

``python benchmarks/compiled.py``: a minute on one core.
"""
# ruff: noqa: E402 - the number of threads is read as the numeric libraries are loaded

import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import statistics
from time import process_time

import numba
import numpy as np
from speed_tuners import long_tailed

from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem, _coordinate_ascent, prior_offsets, solve
from skimbalance.solvers._line_search import sweep_objective
from skimbalance.solvers._neighbourhood import around


@numba.njit(cache=False)
def near_pairs(scores, offsets, reach, cells, first, value):
    """Find the leader of each row and the pairs within reach, in one loop; return how many pairs there are."""
    found = 0
    n_rows, n_classes = scores.shape
    for i in range(n_rows):
        best, place = -np.inf, 0
        for k in range(n_classes):
            shifted = scores[i, k] + offsets[k]
            if shifted > best:
                best, place = shifted, k
        first[i], value[i] = place, best
        for k in range(n_classes):
            if scores[i, k] + offsets[k] + reach[k] >= best:
                cells[found] = i * n_classes + k
                found += 1
    return found


@numba.njit(cache=False)
def macro_f1_along(starts, rows, mine, classes, first, first_value, second, second_value, y, hits, predicted, support):
    """Return the best macro-F1 (K,) along the line of each class: gather, sort and count, for this metric alone."""
    n_classes = support.shape[0]
    best = np.empty(n_classes)
    h, p = hits.copy(), predicted.copy()
    total = 0.0
    for k in range(n_classes):
        total += 2 * hits[k] / (predicted[k] + support[k])
    for k in classes:
        part = rows[starts[k] : starts[k + 1]]
        gaps, rival = _gaps(k, part, mine[starts[k] :], first, first_value, second, second_value)
        now = total
        for j in range(part.size):  # all rows to their rivals
            if first[part[j]] == k:
                now += _moved(h, p, support, k, rival[j], y[part[j]])
        highest = now
        for j in np.argsort(gaps):
            now += _moved(h, p, support, rival[j], k, y[part[j]])
            highest = max(highest, now)
        for j in range(part.size):  # and back
            if first[part[j]] != k:
                _moved(h, p, support, k, rival[j], y[part[j]])
        best[k] = highest / n_classes
    return best


@numba.njit(cache=False)
def _gaps(k, part, mine, first, first_value, second, second_value):
    """Return the gaps of a class in its rows, and who holds them without it."""
    gaps, rival = np.empty(part.size), np.empty(part.size, np.int64)
    for j in range(part.size):
        i = part[j]
        held = first[i] == k
        rival[j] = second[i] if held else first[i]
        gaps[j] = (second_value[i] if held else first_value[i]) - mine[j]
    return gaps, rival


@numba.njit(cache=False)
def _moved(h, p, support, before, after, label):
    """Give a row of one class to another; return what that adds to the sum of F1."""
    old = 2 * h[before] / (p[before] + support[before]) + 2 * h[after] / (p[after] + support[after])
    p[before] -= 1
    p[after] += 1
    h[before] -= label == before
    h[after] += label == after
    return 2 * h[before] / (p[before] + support[before]) + 2 * h[after] / (p[after] + support[after]) - old


def timed(act, repeats=7):
    """Return the median of the processor time of a call, and its result."""
    seconds = []
    for _ in range(repeats + 1):
        begin = process_time()
        result = act()
        seconds.append(process_time() - begin)
    return statistics.median(seconds[1:]), result


def compare(n_rows, n_classes):
    """Print the figures of one size."""
    drawn = long_tailed(n_rows, n_classes)
    truth = Truth.from_codes(drawn.y, n_classes=n_classes)
    problem = Problem(drawn.scores, truth, get_metric("f1_macro"))
    offsets = prior_offsets(truth.support, tau=0.75)
    floor, _ = timed(lambda: drawn.scores.argmax(1))
    whole, _ = timed(lambda: solve(problem), repeats=3)
    place_s, place = timed(lambda: around(problem, offsets))
    everyone = np.argsort(place.lengths)
    batches = list(_coordinate_ascent._Ascent(problem, offsets)._batches(everyone))
    counts = problem.count(place.first)

    def sweep():
        walks = (place.walks(classes) for classes in batches)
        return [(walk, sweep_objective(walk, problem, counts)) for walk in walks]

    sweep_s, found = timed(sweep)
    pairs, reach = place._pairs, np.full(n_classes, 1.0)
    cells, first, value = np.empty(20 * n_rows, np.int64), np.empty(n_rows, np.int64), np.empty(n_rows)
    dense_s, _ = timed(lambda: near_pairs(drawn.scores, offsets, reach, cells, first, value))
    arguments = (
        *(pairs.starts_of_class, pairs.rows_of_class, pairs.scores_of_class, np.arange(n_classes)),
        *(place.first, place.first_value, place.second, place.second_value),
        *(drawn.y, counts.hits, counts.predicted, counts.support),
    )
    compiled_s, best = timed(lambda: macro_f1_along(*arguments))
    ours = np.full(n_classes, np.nan)
    for walk, ranks in found:
        gaps = walk.gaps.values
        inside = np.column_stack([np.ones(len(gaps), bool), gaps < np.finfo(float).max])
        ours[walk.classes] = np.where(inside, ranks, -1).max(axis=1)
    np.testing.assert_allclose(best, ours, atol=1e-9)
    print(f"n = {n_rows:,}, K = {n_classes:,}; in argmax passes of {floor * 1e3:.2f} ms")
    print(f"  whole search            {whole / floor:8.1f}")
    print(f"  near pairs of all rows  {place_s / floor:8.1f}   the same loop compiled {dense_s / floor:8.1f}")
    print(f"  a sweep's line searches {sweep_s / floor:8.1f}   compiled, macro-F1 only {compiled_s / floor:7.1f}")


def main():
    """Compare at the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    for size in ((50_000, 100), (50_000, 1_000)):
        compare(*size)


if __name__ == "__main__":
    main()
