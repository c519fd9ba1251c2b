"""Fits in several threads leave the state of the process as it was."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.parallel import _get_threadpool_controller

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance._core.sklearn import one_blas_thread
from skimbalance.exceptions import SkimbalanceWarning, caught_warnings, warn_user

RNG = np.random.default_rng(0)
Y = np.arange(24) % 2
PROBA = RNG.random(24)


def interleaved(first, second):
    """Call two functions in threads: `first` waits until `second` has begun, and `second` until `first` has ended."""
    both, first_is_done = threading.Barrier(2, timeout=20), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first, both.wait)
        one.add_done_callback(lambda _: first_is_done.set())
        other = pool.submit(second, lambda: (both.wait(), first_is_done.wait(20)))
        one.result(), other.result()


def at_first_call(act):
    """A metric that acts when it is called for the first time, and always warns."""
    called = []

    def accuracy(y_true, y_pred, sample_weight=None):
        if not called:
            called.append(True)
            act()
        warnings.warn("tried in vain", RuntimeWarning, stacklevel=1)
        return float(np.average(y_true == y_pred, weights=sample_weight))

    return accuracy


def fit_black_box(act, **params):
    return OffsetTuner(at_first_call(act), estimate="empirical", **params).fit(PROBA, Y)


@pytest.mark.filterwarnings("ignore:tried in vain")
class TestWarningFilters:
    def test_fits_that_overlap_leave_them_as_they_were(self):
        before = list(warnings.filters)
        interleaved(fit_black_box, fit_black_box)
        assert list(warnings.filters) == before

    def test_another_thread_may_warn_during_a_fit(self):
        with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(1) as pool:
            warnings.simplefilter("always")
            fit_black_box(lambda: pool.submit(warnings.warn, "seen").result())
        assert "seen" in [str(warning.message) for warning in caught]

    def test_decisions_that_are_only_tried_in_threads_do_not_warn(self):
        n_tried = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            metric = at_first_call(lambda: None)

            def counted(y_true, y_pred, sample_weight=None):
                n_tried.append(1)
                return metric(y_true, y_pred, sample_weight)

            OffsetTuner(counted, n_jobs=2).fit(PROBA, Y)
        assert sum(warning.category is RuntimeWarning for warning in caught) < len(n_tried) / 10

    def test_estimators_are_fitted_under_those_of_the_process(self):
        found = []

        class Noting(GaussianNB):
            def fit(self, X, y):
                found.append(warnings.filters)
                return super().fit(X, y)

        TunedOffsetClassifierCV(Noting(), cv=2).fit(PROBA[:, None], Y)
        assert len(found) == 3
        assert all(filters is warnings.filters for filters in found)

    def test_scikit_learn_may_start_jobs_during_a_fit_of_another_thread(self):
        def fit_others():
            for estimator in (BaggingClassifier(n_estimators=2, random_state=0), TunedOffsetClassifierCV(GaussianNB())):
                estimator.fit(PROBA[:, None], Y)

        with ThreadPoolExecutor(1) as pool:
            fit_black_box(lambda: pool.submit(fit_others).result())

    def test_an_error_leaves_them_as_they_were(self):
        def fail():
            raise KeyError("mine")

        before = list(warnings.filters)
        with pytest.raises(KeyError, match="mine"):
            fit_black_box(fail)
        assert list(warnings.filters) == before

    def test_each_thread_collects_its_own_warnings(self):
        def collect(wait):
            with caught_warnings() as caught:
                warn_user(f"in {threading.get_ident()}", SkimbalanceWarning)
                wait()
            assert caught == [(f"in {threading.get_ident()}", SkimbalanceWarning)]

        before = list(warnings.filters)
        interleaved(collect, collect)
        assert list(warnings.filters) == before


class Library:
    """Stands for a library whose limit is that of the process."""

    threading_layer, user_api, prefix, filepath, internal_api = "pthreads", "blas", "lib", "lib", "mine"
    num_threads = 4

    def info(self, **options):
        return {"user_api": "blas", "num_threads": self.num_threads, "prefix": "lib", "filepath": "lib"}

    def set_num_threads(self, number):
        self.num_threads = number


class TestLimitOfThreads:
    def test_entered_and_left_in_turn_it_is_restored(self, monkeypatch):
        library = Library()
        controller = _get_threadpool_controller()
        monkeypatch.setattr(controller, "lib_controllers", [library])

        def limited(wait):
            with one_blas_thread():
                assert library.num_threads == 1
                wait()

        interleaved(limited, limited)
        assert library.num_threads == 4
        with one_blas_thread(), one_blas_thread():
            assert library.num_threads == 1
        assert library.num_threads == 4
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert library.num_threads == 4
        with one_blas_thread():
            assert library.num_threads == 1
