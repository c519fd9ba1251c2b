"""The gain of a compiled kernel: the two most expensive loops of the solver in NumPy, and compiled by numba.

``python -m benchmarks.speed.compiled``: a minute on one core.
"""

import statistics
from time import process_time

import numba
import numpy as np

from benchmarks.script import options
from benchmarks.speed.tuners import long_tailed
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem, prior_offsets, solve
from skimbalance.solvers._line_search import sweep_objective
from skimbalance.solvers._neighbourhood import around


@numba.njit(cache=False)
def near_pairs(scores, offsets, reach, cells, first, value):
    """Find the first class of each sample and the pairs within reach in one loop; return the number of pairs."""
    found = 0
    n_samples, n_classes = scores.shape
    for i in range(n_samples):
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


def compare(n_samples, n_classes):
    """Print the times of one size."""
    drawn = long_tailed(n_samples, n_classes)
    truth = Truth.from_codes(drawn.y, n_classes=n_classes)
    problem = Problem(drawn.scores, truth, get_metric("f1_macro"))
    offsets = prior_offsets(truth.support, tau=0.75)
    floor, _ = timed(lambda: drawn.scores.argmax(1))
    whole, _ = timed(lambda: solve(problem), repeats=3)
    place_s, place = timed(lambda: around(problem, offsets))
    by_length = np.argsort(place.lengths, kind="stable")
    batches = np.array_split(by_length[place.lengths[by_length] > 0], 16)  # similar numbers of samples
    counts = problem.count(place.first)

    def sweep():
        sweeps = (place.sorted_sweeps(classes) for classes in batches)
        return [(each, sweep_objective(each, problem, counts)) for each in sweeps]

    sweep_s, found = timed(sweep)
    pairs, reach = place._pairs, np.full(n_classes, 1.0)
    cells, first, value = np.empty(20 * n_samples, np.int64), np.empty(n_samples, np.int64), np.empty(n_samples)
    dense_s, _ = timed(lambda: near_pairs(drawn.scores, offsets, reach, cells, first, value))
    arguments = (
        *(pairs._starts_of_class, pairs._samples_of_class, pairs._scores_of_class, np.arange(n_classes)),
        *place.leaders,
        *(drawn.y, counts.hits, counts.predicted, counts.support),
    )
    compiled_s, best = timed(lambda: macro_f1_along(*arguments))
    ours = np.full(n_classes, np.nan)
    for each, values in found:
        margins = each.margins.values
        inside = np.column_stack([np.ones(len(margins), bool), margins < np.finfo(float).max])
        ours[each.classes] = np.where(inside, values, -1).max(axis=1)
    np.testing.assert_allclose(best, ours, atol=1e-9)
    print(f"n = {n_samples:,}, K = {n_classes:,}; in argmax passes of {floor * 1e3:.2f} ms")
    print(f"  whole search            {whole / floor:8.1f}")
    print(f"  near pairs               {place_s / floor:8.1f}   the same loop compiled {dense_s / floor:8.1f}")
    print(f"  a sweep's line searches {sweep_s / floor:8.1f}   compiled, macro-F1 only {compiled_s / floor:7.1f}")


def main():
    """Compare two sizes."""
    options(__doc__).parse_args()
    for size in ((50_000, 100), (50_000, 1_000)):
        compare(*size)


if __name__ == "__main__":
    main()
