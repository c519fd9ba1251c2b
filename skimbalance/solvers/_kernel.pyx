# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Compiled coordinate ascent: the sorted sweep of one class and the update of the decisions, in loops over samples.

It finds what `_neighbourhood` and `_line_search` find with array operations, for one class at a time. A line search
first counts the samples in intervals of their margins. The counts before and after an interval give an upper bound of
the objective within. Only intervals whose bound exceeds the best known value are sorted, and searched step by step.
"""

from libc.math cimport INFINITY, exp, fabs, fmax, fmin, log, sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset

import numpy as np

cdef enum Kind:
    SUM_OF_RATIOS
    RATIO_OF_SUMS
    MATTHEWS
    KAPPA
    GEOMETRIC_MEAN
    WORST_RECALL
    REWARD

__all__ = ["KINDS", "Ascent"]

KINDS = ("sum_of_ratios", "ratio_of_sums", "matthews", "kappa", "geometric_mean", "worst_recall", "reward")
"""The kinds of metrics, in the order of their codes."""

cdef enum:
    N_SUMS = 3
    N_INTERVALS = 256
    PER_INTERVAL = 16
    PER_CLASS = 3  # an interval has so many samples in the mean, and so many more for each class
    AT_ONCE = 8  # consecutive samples of a block; `_block_below` is written for eight
    FEW_CLASSES = 8  # for so few, most blocks contain samples that may change
    INSERTED = 48  # so few samples are sorted by insertion

cdef double SLACK = 1e-9  # bounds are rounded: an interval is left out if its bound is lower by more
# The same as in `improves`, `_agreement`, `bound`, `_base` and `_line_search`.
cdef double IMPROVED = 1e-12
cdef double ROUNDING = 1e-14
cdef double VIOLATED = 1e-12
cdef double TIE = 1e-9
cdef double MARGIN = 1.0


cdef struct Place:
    double margin
    int sample


cdef struct Cut:
    double low
    double high
    double value
    long long number


cdef void _sort(Place* places, long long count) noexcept nogil:
    """Sort by margin: quicksort by the median of three until few are left, and insertion."""
    cdef long long i, j
    cdef double low, pivot, high
    cdef Place moved
    while count > INSERTED:
        low, pivot, high = places[0].margin, places[count // 2].margin, places[count - 1].margin
        pivot = fmax(fmin(low, pivot), fmin(fmax(low, pivot), high))
        i, j = 0, count - 1
        while i <= j:
            while places[i].margin < pivot:
                i += 1
            while places[j].margin > pivot:
                j -= 1
            if i <= j:
                moved = places[i]
                places[i] = places[j]
                places[j] = moved
                i += 1
                j -= 1
        if j + 1 < count - i:  # the smaller part by recursion: its depth is logarithmic
            _sort(places, j + 1)
            places, count = places + i, count - i
        else:
            _sort(places + i, count - i)
            count = j + 1
    for i in range(1, count):
        moved = places[i]
        j = i
        while j > 0 and places[j - 1].margin > moved.margin:
            places[j] = places[j - 1]
            j -= 1
        places[j] = moved


cdef inline double _ratio(double numerator, double denominator) noexcept nogil:
    return numerator / denominator if denominator != 0 else 0.0


cdef long long _block_below(
    const double* top, const double* column, double most, long long begin, long long n_samples
) noexcept nogil:
    """Return where the next block of samples begins that has one with `top - column` of at most `most`.

    Of many classes most blocks have none. The last samples are too few for a block, and are searched anyway.
    """
    cdef int j
    cdef double least[AT_ONCE]
    if most == INFINITY:
        return begin
    while begin + AT_ONCE <= n_samples:
        for j in range(AT_ONCE):
            least[j] = top[begin + j] - column[begin + j]
        for j in range(AT_ONCE // 2):
            least[j] = least[j] if least[j] < least[j + AT_ONCE // 2] else least[j + AT_ONCE // 2]
        for j in range(AT_ONCE // 4):
            least[j] = least[j] if least[j] < least[j + AT_ONCE // 4] else least[j + AT_ONCE // 4]
        if least[0] <= most or least[1] <= most:
            break
        begin += AT_ONCE
    return begin


cdef inline bint _improves(double value, double on) noexcept nogil:
    return value > on if on == -INFINITY else value > on + IMPROVED * fabs(on)


cdef class Ascent:
    """Offsets (K,) for scores (n, K), the decisions and counts that follow, and the search for better ones.

    `scores` are float64, and sums are rounded to single precision if `single`. The labels are `codes` (n,) of type
    intc, or `shares` of each pair of a class and a sample, in single or double precision. `weights` are (n,), or None
    for ones. `forms` are the metrics: the objective, then those of the constraints. Each is a tuple: the code of its
    kind, its direction (1, -1 or 0 for zero), whether it rises with true positives, whether it rises with false
    positives, the coefficients (K, 3) of true positives, predicted samples and one in the numerator and in the
    denominator of each class, and its bounds. `rewards` are those of predicting a class, of each pair, for the kind
    "reward". `worst` is less than any objective value, and `largest` the largest magnitude of a score.

    Pairs are in the order of their classes, then of their samples. If `pairs` is None they are all pairs, in arrays
    (K, n). Otherwise they are some of the pairs, at least two of each sample, as entries in the order of the samples,
    then of the classes. `pairs` is a tuple: the number of the first pair of each class, and that of all pairs (K + 1,),
    the sample of each pair (m,), the number of the first entry of each sample, and that of all (n + 1,), and the class
    and the pair of each entry (m,). Then `scores` are None, and samples without pairs are not among the n. `settled` are the true positives and the predicted samples (K,) of these, and the sum of their rewards.
    """

    cdef readonly int n_classes
    cdef readonly long long n_samples
    cdef const double[:, ::1] scores
    cdef const double[::1] pair_scores, shares, rewards, weights, support, settled_hits, settled_predicted
    cdef const float[::1] narrow_shares
    cdef const long long[::1] class_begin, sample_begin
    cdef const int[::1] codes, sample_of, entry_class, entry_pair
    cdef bint single, is_counted, is_hard, is_narrow, is_near
    cdef double settled_reward
    cdef int n_forms, rewarded
    cdef int[::1] kind, direction, rises_with_hits, rises_with_others
    cdef double[:, :, ::1] numerator, denominator
    cdef double[::1] least, most
    cdef double worst, tiny, n_squared, support_squares, total, largest, epsilon
    # The state: offsets, their bounds, the two best classes of each sample, counts.
    cdef double[::1] offset, lower, upper, hits, predicted
    cdef int[::1] first, second
    cdef double[::1] value1, value2, mass1, mass2
    cdef double reward, reach, least_gain
    cdef readonly double objective_value
    # Memory of a line search.
    cdef long long n_near
    cdef int[::1] near, spot, changed, old_first, old_second
    cdef double[::1] margins, old_value1, old_value2, old_mass1, old_mass2, h, p, old_hits, old_predicted
    cdef unsigned char[::1] interval_of
    cdef unsigned char[::1] is_open, is_settled
    cdef double[:, :, ::1] counts
    cdef double[::1] rising, falling, reward_in, highest
    cdef long long[::1] size, begin
    cdef double[:, :, ::1] terms
    cdef double[:, ::1] sums
    cdef Place* places
    cdef Cut* cuts

    def __cinit__(self, scores, *args, pairs=None, **kwargs):
        cdef long long n = scores.shape[0] if pairs is None else pairs[2].shape[0] - 1
        self.places = <Place*> malloc((n + 1) * sizeof(Place))
        self.cuts = <Cut*> malloc((n + N_INTERVALS + 2) * sizeof(Cut))
        if self.places == NULL or self.cuts == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.places)
        free(self.cuts)

    def __init__(
        self, scores, *, single, codes, shares, weights, support, forms, rewards, worst, largest, pairs=None,
        settled=None
    ):
        cdef long long n = scores.shape[0] if pairs is None else pairs[2].shape[0] - 1
        cdef int k = support.shape[0], m = N_INTERVALS
        self.n_samples, self.n_classes, self.single = n, k, single
        self.support, self.is_near = support, pairs is not None
        if pairs is None:
            self.scores, self.class_begin = scores, n * np.arange(k + 1, dtype=np.int64)
        else:
            self.class_begin, self.sample_of, self.sample_begin, self.entry_class, self.entry_pair = pairs
        self.settled_hits, self.settled_predicted, self.settled_reward = settled or (np.zeros(k), np.zeros(k), 0.0)
        self.is_hard, self.is_counted = shares is None, shares is None and weights is None
        if self.is_hard:
            self.codes = codes
        elif shares.dtype == np.float32:
            self.is_narrow, self.narrow_shares = True, shares.reshape(-1)
        else:
            self.shares = shares.reshape(-1)
        self.weights = np.ones(n) if weights is None else weights
        if rewards is not None:
            self.rewards = rewards.reshape(-1)
        kind, direction, hits, others, numerator, denominator, least, most = zip(*forms)
        self.n_forms = len(kind)
        self.kind, self.direction, self.rises_with_hits, self.rises_with_others = (
            np.array(flags, dtype=np.intc) for flags in (kind, direction, hits, others)
        )
        self.rewarded = kind.index(REWARD) if REWARD in kind else -1
        self.numerator, self.denominator = np.array(numerator, dtype=float), np.array(denominator, dtype=float)
        self.least, self.most = np.array(least, dtype=float), np.array(most, dtype=float)
        self.worst, self.largest = worst, largest
        self.total = float(np.sum(support))
        self.tiny = 0.0 if self.is_counted else 1e-12 * self.total
        self.n_squared, self.support_squares = self.total * self.total, float(np.sum(np.square(support)))
        self.epsilon = np.finfo(np.float32 if single else np.float64).eps
        self.first, self.second, self.near, self.changed, self.old_first, self.old_second = (
            np.empty((6, n), dtype=np.intc)
        )
        self.spot = self.near if pairs is None else np.empty(n, dtype=np.intc)
        self.value1, self.value2, self.mass1, self.mass2, self.margins = np.empty((5, n))
        self.old_value1, self.old_value2, self.old_mass1, self.old_mass2 = np.empty((4, n))
        self.interval_of = np.empty(n, dtype=np.uint8)
        self.offset, self.lower, self.upper, self.hits, self.predicted = np.empty((5, k))
        self.h, self.p, self.old_hits, self.old_predicted = np.empty((4, k))
        self.counts = np.empty((m, k, 2))
        self.rising, self.falling, self.reward_in, self.highest = np.zeros((4, m))
        self.size, self.begin = np.empty((2, m), dtype=np.int64)
        self.is_open, self.is_settled = np.empty(m, dtype=np.uint8), np.empty(k, dtype=np.uint8)
        self.terms, self.sums = np.empty((self.n_forms, k, N_SUMS)), np.empty((self.n_forms, N_SUMS))

    def start(self, pair_scores, offsets, lower, upper, double reach=INFINITY, best=None):
        """Set the offsets and their bounds (K,), decide all samples, and count.

        `pair_scores` are those of each pair. A line search moves an offset by at most `reach`. `best` (2, n) are the
        two best classes of each sample with these offsets, if they are known.
        """
        cdef long long i
        cdef int first, second
        cdef const int[:, ::1] classes
        for array, values in ((self.offset, offsets), (self.lower, lower), (self.upper, upper)):
            np.asarray(array)[:] = values
        self.pair_scores, self.reach = pair_scores.reshape(-1), reach
        np.asarray(self.is_settled)[:] = False
        self.least_gain = 0
        if best is None:
            with nogil:
                for i in range(self.n_samples):
                    self._decide(i)
        else:
            classes = best
            with nogil:
                for i in range(self.n_samples):
                    first, second = classes[0, i], classes[1, i]
                    self._place(i, first, second, self._shifted(first, i), self._shifted(second, i))
        self.recount()

    @property
    def best(self):
        """The two best classes (2, n) of each sample."""
        return np.stack([self.first, self.second])

    @property
    def offsets(self):
        """The offsets (K,)."""
        return np.array(self.offset)

    def recount(self):
        """Count again, without the rounding errors of updates."""
        with nogil:
            self._recount()

    def sweep(self, long long[::1] classes, double least):
        """Move each of `classes` to its best offset if that gains more than `least`; return those that moved.

        A class is settled, and is not searched, as long as no other has moved since it was searched, and `least` is no
        lower.
        """
        cdef long long j
        cdef int k
        cdef double offset = 0, gain = 0
        moved = np.zeros(classes.shape[0], dtype=bool)
        cdef unsigned char[::1] flags = moved.view(np.uint8)
        with nogil:
            if least < self.least_gain:
                memset(&self.is_settled[0], False, self.n_classes)
            self.least_gain = least
            for j in range(classes.shape[0]):
                k = <int> classes[j]
                if self.is_settled[k]:
                    continue
                flags[j] = self._search(k, &offset, &gain) and gain > least and self._move(k, offset)
                if flags[j]:
                    memset(&self.is_settled[0], False, self.n_classes)
                self.is_settled[k] = not flags[j] or self.reach == INFINITY  # within a finite reach it may move on
        return np.asarray(classes)[moved]

    def value_at(self, double[::1] offsets):
        """Return the objective value of decisions with other offsets, by all pairs; the state is kept."""
        cdef long long i
        cdef int c, best
        cdef double value, top, reward = 0, objective_value
        with nogil:
            for c in range(self.n_classes):
                self.h[c] = 0
                self.p[c] = 0
            for i in range(self.n_samples):
                best, top = 0, -INFINITY
                for c in range(self.n_classes):
                    value = self._rounded(self.scores[i, c] + offsets[c])
                    if value > top:
                        best, top = c, value
                self.h[best] += self._mass(best, i)
                self.p[best] += self.weights[i]
                if self.rewarded >= 0:
                    reward += self.rewards[self._pair(best, i)]
            for c in range(self.n_classes):
                self.h[c] = self._cleared(self.h[c])
                self.p[c] = self._cleared(self.p[c])
            objective_value = self._objective_at(&self.h[0], &self.p[0], reward)
        return objective_value

    cdef inline double _rounded(self, double x) noexcept nogil:
        return <double> (<float> x) if self.single else x

    cdef inline double _cleared(self, double x) noexcept nogil:
        return x if x > self.tiny else (x if self.is_counted else 0.0)

    cdef inline long long _pair(self, int c, long long i) noexcept nogil:
        """Return the number of the pair of class c and sample i."""
        cdef long long t
        if not self.is_near:
            return c * self.n_samples + i
        t = self.sample_begin[i]
        while self.entry_class[t] != c:
            t += 1
        return self.entry_pair[t]

    cdef inline double _mass(self, int c, long long i) noexcept nogil:
        """Return the weight of class c in sample i."""
        cdef long long t
        if self.is_hard:
            return self.weights[i] if self.codes[i] == c else 0.0
        t = self._pair(c, i)
        return (<double> self.narrow_shares[t] if self.is_narrow else self.shares[t]) * self.weights[i]

    cdef void _decide(self, long long i) noexcept nogil:
        """Find the two best classes of sample i; of equal ones those that come first."""
        cdef int c, t, first = 0, second = 0
        cdef double value, value1 = -INFINITY, value2 = -INFINITY
        cdef const double* row = NULL
        cdef const int* classes = NULL
        cdef const int* pairs = NULL
        cdef double* offset = &self.offset[0]
        cdef long long begin
        cdef int n_entries = self.n_classes
        if self.is_near:
            begin = self.sample_begin[i]
            classes, pairs = &self.entry_class[begin], &self.entry_pair[begin]
            n_entries = <int> (self.sample_begin[i + 1] - begin)
        else:
            row = &self.scores[i, 0]
        for t in range(n_entries):
            c = classes[t] if self.is_near else t
            value = self._rounded((self.pair_scores[pairs[t]] if self.is_near else row[c]) + offset[c])
            if value > value2:  # seldom
                if value > value1:
                    second, value2 = first, value1
                    first, value1 = c, value
                else:
                    second, value2 = c, value
        self._place(i, first, second, value1, value2)

    cdef inline double _shifted(self, int c, long long i) noexcept nogil:
        """Return the shifted score of class c in sample i."""
        return self._rounded(self.pair_scores[self._pair(c, i)] + self.offset[c])

    cdef inline void _place(self, long long i, int first, int second, double value1, double value2) noexcept nogil:
        """Set the two best classes of sample i, and their shifted scores."""
        self.first[i], self.second[i] = first, second
        self.value1[i], self.value2[i] = value1, value2
        self.mass1[i], self.mass2[i] = self._mass(first, i), self._mass(second, i)

    cdef void _recount(self) noexcept nogil:
        cdef long long i
        cdef int c
        for c in range(self.n_classes):
            self.hits[c] = self.settled_hits[c]
            self.predicted[c] = self.settled_predicted[c]
        self.reward = self.settled_reward
        for i in range(self.n_samples):
            c = self.first[i]
            self.hits[c] += self.mass1[i]
            self.predicted[c] += self.weights[i]
            if self.rewarded >= 0:
                self.reward += self.rewards[self._pair(c, i)]
        for c in range(self.n_classes):
            self.hits[c] = self._cleared(self.hits[c])
            self.predicted[c] = self._cleared(self.predicted[c])
        self.objective_value = self._objective_at(&self.hits[0], &self.predicted[0], self.reward)

    # Metrics.

    cdef inline void _terms(self, int j, int c, double h, double p, double* out) noexcept nogil:
        """Write what class c contributes to the sums of metric j."""
        cdef int kind = self.kind[j]
        cdef double* x = &self.numerator[j, c, 0]
        cdef double* y = &self.denominator[j, c, 0]
        if kind == SUM_OF_RATIOS:
            out[0] = _ratio(x[0] * h + x[1] * p + x[2], y[0] * h + y[1] * p + y[2])
        elif kind == RATIO_OF_SUMS:
            out[0] = x[0] * h + x[1] * p + x[2]
            out[1] = y[0] * h + y[1] * p + y[2]
        elif kind == GEOMETRIC_MEAN:
            out[0] = log(h / self.support[c]) if h > 0 else 0.0
            out[1] = 0.0 if h > 0 else 1.0
        elif kind == WORST_RECALL:
            out[0] = h / self.support[c]
        elif kind != REWARD:
            out[0] = h
            out[1] = p * self.support[c]
            out[2] = p * p

    cdef double _pool(self, int j, double* sums) noexcept nogil:
        """Return the value of metric j from its sums; of the geometric mean as objective, one that orders zeros."""
        cdef int kind = self.kind[j]
        cdef double first, second
        if kind == RATIO_OF_SUMS:
            return _ratio(sums[0], sums[1])
        if kind == MATTHEWS:
            first, second = self.n_squared - sums[2], self.n_squared - self.support_squares
            if not (first > ROUNDING * self.n_squared and second > ROUNDING * self.n_squared):
                return 0.0
            return (sums[0] * self.total - sums[1]) / (sqrt(first) * sqrt(second))
        if kind == KAPPA:
            if not self.n_squared - sums[1] > ROUNDING * self.n_squared:
                return 0.0
            return (sums[0] * self.total - sums[1]) / (self.n_squared - sums[1])
        if kind == GEOMETRIC_MEAN:
            first = exp(sums[0] / self.n_classes)
            if j == 0:
                return first - sums[1]
            return first if sums[1] <= 0.5 else 0.0
        if kind == WORST_RECALL:
            return fmin(sums[0], sums[1])
        return sums[0]

    cdef inline double _merit(self, double value) noexcept nogil:
        if self.direction[0] == 0:
            return -fabs(value)
        return self.direction[0] * value

    cdef double _constrained(self, double merit, double missed) noexcept nogil:
        if missed > 0:
            return self.worst - 1 - missed + TIE * merit / (1 + fabs(self.worst))
        return merit

    cdef inline double _violation(self, int j, double low, double high) noexcept nogil:
        """Return the least violation of the bounds of metric j by values between `low` and `high`."""
        cdef double missed = fmax(self.least[j] - high, low - self.most[j])
        return missed if missed > VIOLATED else 0.0

    cdef double _objective(self) noexcept nogil:
        """Return the objective value for the sums at hand."""
        cdef int j
        cdef double value, missed = 0
        for j in range(1, self.n_forms):
            value = self._pool(j, &self.sums[j, 0])
            missed += self._violation(j, value, value)
        return self._constrained(self._merit(self._pool(0, &self.sums[0, 0])), missed)

    cdef double _objective_at(self, double* h, double* p, double reward) noexcept nogil:
        """Set the terms and sums of all metrics for these counts, and return the objective value."""
        cdef int j, c, q, kind
        cdef double* out
        for j in range(self.n_forms):
            kind = self.kind[j]
            for q in range(N_SUMS):
                self.sums[j, q] = 0
            if kind == REWARD:
                self.sums[j, 0] = reward
                continue
            if kind == WORST_RECALL:
                self.sums[j, 0], self.sums[j, 1] = INFINITY, INFINITY
            for c in range(self.n_classes):
                out = &self.terms[j, c, 0]
                out[1], out[2] = 0, 0
                self._terms(j, c, h[c], p[c], out)
                if kind == WORST_RECALL:
                    self.sums[j, 0] = fmin(self.sums[j, 0], out[0])
                else:
                    for q in range(N_SUMS):
                        self.sums[j, q] += out[q]
        return self._objective()

    cdef double _objective_with(self, double reward) noexcept nogil:
        """Return the objective value for the terms at hand, and this sum of rewards."""
        cdef int j, c
        for j in range(self.n_forms):
            if self.kind[j] == REWARD:
                self.sums[j, 0] = reward
            elif self.kind[j] == WORST_RECALL:
                self.sums[j, 0] = INFINITY
                for c in range(self.n_classes):
                    self.sums[j, 0] = fmin(self.sums[j, 0], self.terms[j, c, 0])
        return self._objective()

    cdef inline void _replace(self, int j, int c, double h, double p) noexcept nogil:
        """Set the counts of class c in the terms and sums of metric j."""
        cdef int q
        cdef double new[N_SUMS]
        cdef double* old = &self.terms[j, c, 0]
        new[0], new[1], new[2] = 0, 0, 0
        self._terms(j, c, h, p, new)
        if self.kind[j] == REWARD:
            return
        for q in range(N_SUMS):
            if self.kind[j] != WORST_RECALL:
                self.sums[j, q] += new[q] - old[q]
            old[q] = new[q]

    cdef void _range(self, int j, int k, double* h, double* p, double* changes, double low, double high,
                     double* least, double* most, bint both) noexcept nogil:
        """Write bounds of metric j, or only the upper one, while class k gains the samples of an interval.

        The other classes lose them. `h` and `p` are the counts before the interval, and `changes` pairs of their
        changes; the terms at hand are those before. A class has the most of a metric where its true positives and its
        false positives are at one end each.
        """
        cdef int c, q, side, kind = self.kind[j]
        cdef double h0, h1, f0, f1, numerator, hits
        cdef double sums[2][N_SUMS]
        cdef double out[N_SUMS]
        if kind == REWARD:
            least[0], most[0] = low, high
            return
        for side in range(2):
            for q in range(N_SUMS):
                sums[side][q] = INFINITY if kind == WORST_RECALL else self.sums[j, q]
        out[0], out[1], out[2] = 0, 0, 0
        for c in range(self.n_classes):
            if changes[2 * c + 1] == 0:
                if kind == WORST_RECALL:
                    for side in range(2):
                        sums[side][0] = fmin(sums[side][0], self.terms[j, c, 0])
                continue
            h0, h1 = h[c], fmax(h[c] + changes[2 * c], 0.0)
            f0, f1 = p[c] - h0, fmax(p[c] + changes[2 * c + 1], 0.0) - h1
            if c != k:
                h0, h1, f0, f1 = h1, h0, f1, f0  # the lower and the higher
            for side in range(0 if both else 1, 2):
                if kind == MATTHEWS or kind == KAPPA:
                    out[0] = h1 if side else h0
                    out[1] = self.support[c] * (h0 + f0 if side else h1 + f1)
                    out[2] = (h1 + f1) * (h1 + f1) if side else (h0 + f0) * (h0 + f0)
                else:
                    hits = self._cleared(h1 if self.rises_with_hits[j] == side else h0)
                    self._terms(j, c, hits, hits + (f1 if self.rises_with_others[j] == side else f0), out)
                if kind == WORST_RECALL:
                    sums[side][0] = fmin(sums[side][0], out[0])
                else:
                    for q in range(N_SUMS):
                        sums[side][q] += out[q] - self.terms[j, c, q]
        if kind == MATTHEWS:
            # Of the squares, those that make the quotient least, and greatest.
            h0, h1 = sums[0][2], sums[1][2]
            for side in range(2):
                numerator = sums[side][0] * self.total - sums[side][1]
                sums[side][2] = h1 if (numerator >= 0) == (side == 1) else h0
            least[0], most[0] = fmin(self._pool(j, sums[0]), 0.0), fmax(self._pool(j, sums[1]), 0.0)
            if self.n_squared - h1 <= ROUNDING * self.n_squared:
                least[0], most[0] = -1.0, 1.0
            return
        least[0], most[0] = self._pool(j, sums[0]), self._pool(j, sums[1])
        if kind == KAPPA:
            least[0], most[0] = fmin(least[0], 0.0), fmax(most[0], 0.0)

    cdef double _bound(self, int k, double* h, double* p, double* changes, double low, double high) noexcept nogil:
        """Return an upper bound of the objective value within an interval; see `_range`."""
        cdef int j
        cdef double least = 0, most = 0, merit, missed = 0
        for j in range(1, self.n_forms):
            self._range(j, k, h, p, changes, low, high, &least, &most, True)
            missed += self._violation(j, least, most)
        self._range(0, k, h, p, changes, low, high, &least, &most, self.direction[0] != 1)
        if self.direction[0] == 1:
            merit = most
        elif self.direction[0] == -1:
            merit = -least
        else:
            merit = -fmax(fmax(least, -most), 0.0)
        return self._constrained(merit, missed)

    # Line search.

    cdef bint _search(self, int k, double* offset, double* gain) noexcept nogil:
        """Write the best offset of class k, and its expected gain; return whether there is any."""
        cdef long long i, t, begin, n = 0
        cdef int r, b, c, j, n_intervals, n_classes = self.n_classes
        cdef double weight, own, other, m, low = 0, high = 0, scale, change, value, best, bar
        cdef double least = INFINITY, most = -INFINITY
        cdef double reward = self.reward
        cdef long long first_pair = self.class_begin[k], n_pairs = self.class_begin[k + 1] - first_pair
        cdef const double* column
        cdef const int* samples = NULL
        cdef double* h = &self.h[0]
        cdef double* p = &self.p[0]
        cdef double* row
        cdef int* first = &self.first[0]
        cdef int* second = &self.second[0]
        cdef const int* codes = NULL
        cdef const double* masses = NULL
        cdef const float* narrow = NULL
        cdef const double* weights = &self.weights[0]
        cdef double* value1 = &self.value1[0]
        cdef double* value2 = &self.value2[0]
        cdef double* mass1 = &self.mass1[0]
        cdef double* mass2 = &self.mass2[0]
        cdef double* margins = &self.margins[0]
        cdef int* near = &self.near[0]
        cdef int* spot = &self.spot[0]
        cdef double left = fmax(self.lower[k], self.offset[k] - self.reach)
        cdef double right = fmin(self.upper[k], self.offset[k] + self.reach)
        cdef unsigned char* interval_of = &self.interval_of[0]
        cdef double* counts = &self.counts[0, 0, 0]
        cdef bint inside, single = self.single, rewarded = self.rewarded >= 0
        if n_pairs == 0:
            return False
        column = &self.pair_scores[first_pair]
        if self.is_near:
            samples = &self.sample_of[first_pair]
        if self.is_hard:
            codes = &self.codes[0]
        elif self.is_narrow:
            narrow = &self.narrow_shares[first_pair]
        else:
            masses = &self.shares[first_pair]
        for c in range(n_classes):
            h[c], p[c] = self.hits[c], self.predicted[c]
        bar = right if n_classes > FEW_CLASSES and not self.is_near else INFINITY
        begin = _block_below(value1, column, bar, 0, n_pairs)
        while begin < n_pairs:
            for t in range(begin, min(begin + AT_ONCE, n_pairs)):
                i = samples[t] if samples != NULL else t
                m, other = value1[i], value2[i]  # a branch would be mispredicted
                m = (other if first[i] == k else m) - column[t]
                if single:
                    m = <double> (<float> m)
                near[n] = <int> i
                spot[n] = <int> t
                margins[n] = m
                inside = (left <= m) & (m <= right)
                least = m if inside & (m < least) else least
                most = m if inside & (m > most) else most
                n += inside
            begin = _block_below(value1, column, bar, begin + AT_ONCE, n_pairs)
        self.n_near = n
        if n == 0:
            return False
        n_intervals = <int> (n // (PER_INTERVAL + PER_CLASS * n_classes))
        n_intervals = 1 if n_intervals < 2 else (N_INTERVALS if n_intervals > N_INTERVALS else n_intervals)
        scale = n_intervals / (most - least) if most > least else 0.0
        if not scale * (most - least) < 2 * N_INTERVALS:
            scale = 0.0
        memset(counts, 0, 2 * n_intervals * n_classes * sizeof(double))
        memset(&self.size[0], 0, n_intervals * sizeof(long long))
        if rewarded:
            memset(&self.rising[0], 0, n_intervals * sizeof(double))
            memset(&self.falling[0], 0, n_intervals * sizeof(double))
        for t in range(n):
            i = near[t]
            if first[i] == k:  # to the class that wins it without class k
                r, other, own, weight = second[i], mass2[i], mass1[i], weights[i]
                h[k] -= own
                p[k] -= weight
                h[r] += other
                p[r] += weight
                if rewarded:
                    reward += self.rewards[self._pair(r, i)] - self.rewards[first_pair + spot[t]]
            else:
                r, other = first[i], mass1[i]
                if narrow != NULL:
                    own = narrow[spot[t]] * weights[i]
                elif masses != NULL:
                    own = masses[spot[t]] * weights[i]
                else:
                    own = weights[i] if codes[i] == k else 0.0
            m = (margins[t] - least) * scale
            b = <int> m if m < n_intervals else n_intervals - 1
            b = b if b > 0 else 0
            interval_of[t] = <unsigned char> b
            self.size[b] += 1
            row = counts + 2 * b * n_classes
            row[2 * k] += own
            row[2 * k + 1] += weights[i]
            row[2 * r] -= other
            row[2 * r + 1] -= weights[i]
            if rewarded:
                change = self.rewards[first_pair + spot[t]] - self.rewards[self._pair(r, i)]
                if change > 0:
                    self.rising[b] += change
                else:
                    self.falling[b] += change
        h[k], p[k] = self._cleared(h[k]), self._cleared(p[k])
        # The bound of each interval; then its counts become those before it.
        best = self._objective_at(h, p, reward)
        for b in range(n_intervals):
            if not self.size[b]:
                continue
            row = counts + 2 * b * n_classes
            if rewarded:
                low, high = reward + self.falling[b], reward + self.rising[b]
                self.reward_in[b] = reward
                reward += self.rising[b] + self.falling[b]
            self.highest[b] = self._bound(k, h, p, row, low, high)
            for c in range(n_classes):
                own, change = row[2 * c], row[2 * c + 1]
                row[2 * c], row[2 * c + 1] = h[c], p[c]
                if change != 0:
                    h[c] = h[c] + own if c == k else self._cleared(h[c] + own)
                    p[c] = p[c] + change if c == k else self._cleared(p[c] + change)
                    for j in range(self.n_forms):
                        self._replace(j, c, h[c], p[c])
            best = fmax(best, self._objective_with(reward))
        # A cut between two intervals has the value `best`, unless rounding makes it ineffective.
        value = self._best_cut(k, n_intervals, fmax(self.objective_value, best), offset)
        if best > self.objective_value and value < best - SLACK * fmax(1.0, fabs(best)):
            value = self._best_cut(k, n_intervals, self.objective_value, offset)
        gain[0] = value - self.objective_value
        return value > -INFINITY

    cdef double _best_cut(self, int k, int n_intervals, double bar, double* offset) noexcept nogil:
        """Search the intervals whose bound reaches `bar`; write the best offset of class k, return its value.

        Minus infinity means that no cut improves the objective.
        """
        cdef long long i, t, count, n_cuts = 0, number = 0
        cdef int b, c, j, r, after, before = -1, n_classes = self.n_classes
        cdef double low, high, step, value, weight, other, size, rounding, far = 0, best = -INFINITY
        cdef double least = fmax(self.lower[k], self.offset[k] - self.reach)
        cdef double most = fmin(self.upper[k], self.offset[k] + self.reach), above = self.objective_value
        cdef Place* places
        cdef Place* left
        cdef Place* right
        cdef double* h = &self.h[0]
        cdef double* p = &self.p[0]
        cdef double* row
        cdef bint held
        if not self._gather(n_intervals, bar - SLACK * fmax(1.0, fabs(bar))):
            return best
        for c in range(n_classes):
            far = fmax(far, fabs(self.offset[c]))
        rounding = 8 * self.epsilon
        far = rounding * (2 * self.largest + far)
        for b in range(n_intervals):
            count = self.size[b]
            if not count:
                continue
            if not self.is_open[b] or self.highest[b] < best - SLACK * fmax(1.0, fabs(best)):
                self.is_open[b] = False
                number += 2
                before = b
                continue
            places = self.places + self.begin[b] - count
            _sort(places, count)
            after = b + 1
            while after < n_intervals and not self.size[after]:
                after += 1
            left = self._end(before, True) if before >= 0 else NULL
            right = self._end(after, False) if after < n_intervals else NULL
            row = &self.counts[b, 0, 0]
            for c in range(n_classes):
                h[c], p[c] = row[2 * c], row[2 * c + 1]
            self._objective_at(h, p, self.reward_in[b])
            for j in range(self.n_forms):
                if self.kind[j] == WORST_RECALL:  # of the class, and the lowest of all others
                    self.sums[j, 0], self.sums[j, 1] = self.terms[j, k, 0], INFINITY
                    for c in range(n_classes):
                        if c != k:
                            self.sums[j, 1] = fmin(self.sums[j, 1], self.terms[j, c, 0])
            for t in range(count + 1):
                if t > 0:
                    left = places + t - 1
                if t < count:
                    high = places[t].margin
                elif right == NULL:
                    high = INFINITY
                elif self.is_open[after]:
                    break  # the next interval starts with this cut
                else:
                    high = right.margin
                low = left.margin if left != NULL else -INFINITY
                low, high = fmin(fmax(low, least), most), fmin(fmax(high, least), most)
                step = high - low
                if 0 < step <= far:  # margins that differ by their rounding are not cut apart
                    size = self._size(k, left.sample) if left != NULL else 0.0
                    if t < count:
                        size = fmax(size, self._size(k, places[t].sample))
                    elif right != NULL:
                        size = fmax(size, self._size(k, right.sample))
                    if step <= rounding * size:
                        step = 0
                if step > 0:
                    number += 1
                    value = self._objective()
                    if _improves(value, above) and value >= best - IMPROVED * fabs(best):
                        best = fmax(best, value)
                        self.cuts[n_cuts].low, self.cuts[n_cuts].high = low, high
                        self.cuts[n_cuts].value, self.cuts[n_cuts].number = value, number
                        n_cuts += 1
                if t == count:
                    break
                i = places[t].sample
                held = self.first[i] == k
                r = self.second[i] if held else self.first[i]
                other = self.mass2[i] if held else self.mass1[i]
                weight = self.weights[i]
                h[k] += self.mass1[i] if held else self._mass(k, i)
                p[k] += weight
                h[r] = self._cleared(h[r] - other)
                p[r] = self._cleared(p[r] - weight)
                for j in range(self.n_forms):
                    if self.kind[j] == REWARD:
                        self.sums[j, 0] += self.rewards[self._pair(k, i)] - self.rewards[self._pair(r, i)]
                    elif self.kind[j] == WORST_RECALL:
                        self.sums[j, 0] = h[k] / self.support[k]
                        self.sums[j, 1] = fmin(self.sums[j, 1], h[r] / self.support[r])
                    else:
                        self._replace(j, k, h[k], p[k])
                        self._replace(j, r, h[r], p[r])
            before = b
        if n_cuts:
            offset[0] = self._chosen(n_cuts, best - IMPROVED * fabs(best), least, most, self.offset[k])
        return best

    cdef bint _gather(self, int n_intervals, double bar) noexcept nogil:
        """Open the intervals whose bound reaches `bar`, and list the samples of these and of those beside them."""
        cdef long long i, t, total = 0
        cdef int b, before = -1
        cdef unsigned char* interval_of = &self.interval_of[0]
        for b in range(n_intervals):
            self.begin[b] = -1
            self.is_open[b] = self.size[b] > 0 and self.highest[b] >= bar
            if not self.size[b]:
                continue
            if self.is_open[b]:
                self.begin[b] = 0
                if before >= 0:
                    self.begin[before] = 0
            elif before >= 0 and self.is_open[before]:
                self.begin[b] = 0
            before = b
        for b in range(n_intervals):
            if self.begin[b] == 0:
                self.begin[b] = total
                total += self.size[b]
        if total == 0:
            return False
        for i in range(self.n_near):
            b = interval_of[i]
            t = self.begin[b]
            if t >= 0:
                self.places[t].margin = self.margins[i]
                self.places[t].sample = self.near[i]
                self.begin[b] = t + 1
        return True

    cdef Place* _end(self, int b, bint last) noexcept nogil:
        """Return the first or the last place of an interval, sorted or not."""
        cdef Place* places = self.places + self.begin[b] - self.size[b]
        cdef Place* found = places
        cdef long long t
        for t in range(1, self.size[b]):
            if (places[t].margin > found.margin) if last else (places[t].margin < found.margin):
                found = places + t
        return found

    cdef double _size(self, int k, long long i) noexcept nogil:
        """Return the size of the margin of sample i: the magnitudes of the two numbers whose difference it is."""
        cdef double runner_up = self.value2[i] if self.first[i] == k else self.value1[i]
        return fabs(runner_up) + fabs(self.pair_scores[self._pair(k, i)])

    cdef double _chosen(self, long long n_cuts, double bar, double first, double last, double start) noexcept nogil:
        """Return the middle of the widest interval of a plateau; of several plateaus, of that nearest to `start`."""
        cdef long long t, number = -2
        cdef double low, high, half, width, point, distance
        cdef double here = 0, here_width = INFINITY, here_distance = INFINITY, chosen = start, nearest = INFINITY
        cdef bint is_open = False
        for t in range(n_cuts + 1):
            if t < n_cuts and self.cuts[t].value < bar:
                continue
            if is_open and (t == n_cuts or self.cuts[t].number > number + 1):
                if here_distance < nearest:
                    chosen, nearest = here, here_distance
                is_open = False
            if t == n_cuts:
                break
            low, high, number = self.cuts[t].low, self.cuts[t].high, self.cuts[t].number
            half = fmin((high - low) / 2, MARGIN)
            width = 0.0 if low <= first or high >= last else -half  # unbounded on one side: the last choice
            point = fmin(fmax(start, low + half), high - half)
            distance = fabs(point - start)
            if not is_open or width < here_width or (width == here_width and distance < here_distance):
                here, here_width, here_distance, is_open = point, width, distance, True
        return chosen

    cdef bint _move(self, int k, double new) noexcept nogil:
        """Set the offset of class k, and update the decisions, if that is better; return whether it is."""
        cdef long long i, j, t, begin, n_changed = 0
        cdef long long first_pair = self.class_begin[k], n_pairs = self.class_begin[k + 1] - first_pair
        cdef int c, first, second
        cdef const double* column = &self.pair_scores[first_pair]
        cdef const int* samples = &self.sample_of[first_pair] if self.is_near else NULL
        cdef double most, old = self.offset[k], value, value1, value2, weight, old_reward = self.reward, objective_value
        cdef bint falls
        new = self._rounded(new)
        falls = new < old
        self.offset[k] = new
        for c in range(self.n_classes):
            self.old_hits[c], self.old_predicted[c] = self.hits[c], self.predicted[c]
        most = fmax(old, new)
        most += 8 * self.epsilon * (2 * self.largest + fabs(most))  # more than the rounding
        most = most if self.n_classes > FEW_CLASSES and not self.is_near else INFINITY
        begin = _block_below(&self.value2[0], column, most, 0, n_pairs)
        while begin < n_pairs:
            for j in range(begin, min(begin + AT_ONCE, n_pairs)):
                i = samples[j] if samples != NULL else j
                first, second, value1, value2 = self.first[i], self.second[i], self.value1[i], self.value2[i]
                value = self._rounded(column[j] + new)
                if first != k and second != k and (falls or value < value2 or (value == value2 and k > second)):
                    continue
                t = n_changed
                n_changed += 1
                self.changed[t] = <int> i
                self.old_first[t], self.old_second[t] = first, second
                self.old_value1[t], self.old_value2[t] = value1, value2
                self.old_mass1[t], self.old_mass2[t] = self.mass1[i], self.mass2[i]
                if first == k and (value > value2 or (value == value2 and k < second)):
                    self.value1[i] = value
                    continue
                if falls:
                    self._decide(i)
                elif value > value1 or (value == value1 and k < first):
                    self.second[i], self.value2[i], self.mass2[i] = first, value1, self.mass1[i]
                    self.first[i], self.value1[i], self.mass1[i] = k, value, self._mass(k, i)
                else:
                    self.second[i], self.value2[i], self.mass2[i] = k, value, self._mass(k, i)
                if self.first[i] != first:
                    weight = self.weights[i]
                    self.hits[first] -= self.old_mass1[t]
                    self.predicted[first] -= weight
                    self.hits[self.first[i]] += self.mass1[i]
                    self.predicted[self.first[i]] += weight
                    if self.rewarded >= 0:
                        self.reward += self.rewards[self._pair(self.first[i], i)] - self.rewards[self._pair(first, i)]
            begin = _block_below(&self.value2[0], column, most, begin + AT_ONCE, n_pairs)
        for c in range(self.n_classes):
            self.hits[c], self.predicted[c] = self._cleared(self.hits[c]), self._cleared(self.predicted[c])
        objective_value = self._objective_at(&self.hits[0], &self.predicted[0], self.reward)
        if _improves(objective_value, self.objective_value):
            self.objective_value = objective_value
            return True
        self.offset[k], self.reward = old, old_reward
        for c in range(self.n_classes):
            self.hits[c], self.predicted[c] = self.old_hits[c], self.old_predicted[c]
        for t in range(n_changed):
            i = self.changed[t]
            self.first[i], self.second[i] = self.old_first[t], self.old_second[t]
            self.value1[i], self.value2[i] = self.old_value1[t], self.old_value2[t]
            self.mass1[i], self.mass2[i] = self.old_mass1[t], self.old_mass2[t]
        return False
