"""Callbacks of scikit-learn in `TunedOffsetClassifierCV`."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast

callback = pytest.importorskip("sklearn.callback", reason="since scikit-learn 1.9")


class Recorder:
    """Record the tasks of a fit."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", context.task_name, context.task_id))


class EverywhereRecorder(Recorder):
    """Record the tasks of all estimators."""

    max_propagation_depth = None

    def on_fit_task_begin(self, estimator, context):
        self.events.append((context.estimator_name, context.task_name, context.max_subtasks))


@pytest.fixture
def samples():
    return make_classification(300, weights=[0.8], random_state=0)


def fold(number):
    return [("begin", "fold", number), ("end", "fold", number)]


def leaf(name, number):
    return [("begin", name, number), ("end", name, number)]


def test_tasks_of_a_fit(samples):
    recorder = Recorder()
    TunedOffsetClassifierCV(LogisticRegression(), cv=3).set_callbacks(recorder).fit(*samples)
    expected = ["setup", ("begin", "fit", 0), ("begin", "fit-folds", 0), *fold(0), *fold(1), *fold(2)]
    expected += [("end", "fit-folds", 0), *leaf("refit", 1), *leaf("tune-offsets", 2), ("end", "fit", 0), "teardown"]
    assert recorder.events == expected


def test_tasks_without_a_final_fit(samples):
    recorder = Recorder()
    TunedOffsetClassifierCV(LogisticRegression(), cv=0.3, refit=False).set_callbacks(recorder).fit(*samples)
    assert recorder.events[2:-2] == [
        ("begin", "fit-folds", 0), *fold(0), ("end", "fit-folds", 0), *leaf("tune-offsets", 1)
    ]  # fmt: skip


@pytest.mark.parametrize("frozen", [False, True])
def test_tasks_of_a_trained_classifier(samples, frozen):
    recorder = Recorder()
    model = LogisticRegression().fit(*samples)
    model = FrozenEstimator(model) if frozen else model
    TunedOffsetClassifierCV(model, cv="prefit").set_callbacks(recorder).fit(*samples)
    assert recorder.events == ["setup", ("begin", "fit", 0), *leaf("tune-offsets", 0), ("end", "fit", 0), "teardown"]


def test_a_frozen_classifier_in_folds(samples):
    recorder = EverywhereRecorder()
    frozen = FrozenEstimator(LogisticRegression().fit(*samples))
    TunedOffsetClassifierCV(frozen, cv=3).set_callbacks(recorder).fit(*samples)
    assert [event[1] for event in recorder.events if event[0] == "TunedOffsetClassifierCV"].count("fold") == 3


def test_callbacks_for_all_estimators_reach_the_classifier(samples):
    recorder = EverywhereRecorder()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    fitted = TunedOffsetClassifierCV(model, cv=3).set_callbacks(recorder).fit(*samples)
    assert ("TunedOffsetClassifierCV", "fit", 3) in recorder.events
    assert ("TunedOffsetClassifierCV", "fit-folds", 3) in recorder.events
    assert sum(event[:2] == ("Pipeline", "fit") for event in recorder.events) == 3 + 1
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1
    assert not hasattr(fitted.estimator_, "_skl_callbacks")
    assert not hasattr(fitted.estimator_, "_parent_callback_ctx")


def test_callbacks_of_a_search_reach_the_tuned_classifier(samples):
    recorder = EverywhereRecorder()
    search = GridSearchCV(TunedOffsetClassifierCV(LogisticRegression(), cv=2), {"estimator__C": [1.0]}, cv=2)
    search.set_callbacks(recorder).fit(*samples)
    assert sum(event[:2] == ("OffsetTuner", "fit") for event in recorder.events) == 2 + 1
    assert sum(event[:2] == ("TunedOffsetClassifierCV", "fit-folds") for event in recorder.events) == 2 + 1


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_do_not_change(samples, n_jobs):
    X, y = samples
    plain = TunedOffsetClassifierCV(LogisticRegression(), cv=3, n_jobs=n_jobs)
    recorded = clone(plain).set_callbacks(Recorder())
    with parallel_config(backend="threading"):  # other processes cannot import the callback of a test
        np.testing.assert_array_equal(recorded.fit(X, y).offsets_, plain.fit(X, y).offsets_)


def test_teardown_after_an_error(samples):
    X, y = samples
    recorder = Recorder()
    classifier = TunedOffsetClassifierCV(LogisticRegression(solver="saga", l1_ratio=3.0), cv=3).set_callbacks(recorder)
    with pytest.raises(ValueError, match="l1_ratio"):
        classifier.fit(X, y)
    assert recorder.events[-1] == "teardown"
    assert ("end", "fold", 0) not in recorder.events


def test_a_classifier_without_callbacks(samples):
    classifier = TunedOffsetClassifierCV(KNeighborsClassifier(), cv=2).set_callbacks(EverywhereRecorder())
    with pytest.warns(UserWarning, match="KNeighborsClassifier does not support callbacks"):
        classifier.fit(*samples)


def test_scores_of_the_iterations_of_the_classifier(samples):
    monitor = callback.ScoringMonitor(scoring="balanced_accuracy")
    model = LogisticRegression().set_callbacks(monitor)
    TunedOffsetClassifierCV(model, cv=3).fit(*samples)
    scores = [row["balanced_accuracy"] for row in monitor.get_logs().data if "balanced_accuracy" in row]
    assert len(scores) > 4
    assert max(scores) > 0.5


def test_a_progress_bar(samples, capsys):
    pytest.importorskip("rich")
    TunedOffsetClassifierCV(LogisticRegression(), cv=3).set_callbacks(callback.ProgressBar()).fit(*samples)
    out = capsys.readouterr().out
    assert "TunedOffsetClassifierCV" in out
    assert "bootstraps" in out


def test_tuning_is_a_fit_of_the_tuner(samples):
    recorder = EverywhereRecorder()
    classifier = TunedOffsetClassifierCV(LogisticRegression(), cv=3).set_callbacks(recorder).fit(*samples)
    parts = [event for event in recorder.events if event[0] == "OffsetTuner"]
    assert parts == [
        ("OffsetTuner", "fit", None),
        ("OffsetTuner", "folds", 5), *[("OffsetTuner", "fold", 0)] * 5,
        ("OffsetTuner", "bootstraps", 8), *[("OffsetTuner", "bootstrap", 0)] * 8,
    ]  # fmt: skip
    assert not hasattr(classifier.tuner_, "_skl_callbacks")
    assert not hasattr(classifier.tuner_, "_parent_callback_ctx")


class Counter(Recorder):
    """Count the parts that begin and end in each task of several parts."""

    def __init__(self):
        self.announced, self.begun, self.ended = {}, {}, {}

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context):
        if context.max_subtasks:
            self.announced[id(context)] = context.max_subtasks
        self._count(self.begun, context)

    def on_fit_task_end(self, estimator, context):
        self._count(self.ended, context)

    def _count(self, counts, context):
        if context.parent is not None and context.parent.max_subtasks:
            counts[id(context.parent)] = counts.get(id(context.parent), 0) + 1


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("objective", ["f1_macro", "f1_micro", "f1_samples"])
@pytest.mark.parametrize("constraints", [(), [AtLeast("recall", 0.6, label=1, confidence=0.9)]])
@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
def test_as_many_parts_of_the_tuning_end_as_were_announced(multilabel, constraints, objective, n_jobs):
    if not multilabel and objective == "f1_samples":
        pytest.skip("it needs labels")
    rng = np.random.default_rng(0)
    y = rng.random((200, 12)) < 0.3 if multilabel else rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    logits = 2 * (y if multilabel else np.eye(3)[y]) + rng.normal(size=(200, 12 if multilabel else 3))
    counter = Counter()
    tuner = OffsetTuner(objective, kind="logits", constraints=constraints, n_jobs=n_jobs)
    tuner.set_callbacks(counter).fit(logits, y.astype(int))
    assert counter.announced
    assert counter.announced == counter.begun == counter.ended


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_offsets_do_not_change(n_jobs):
    rng = np.random.default_rng(0)
    y = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    logits = 2 * np.eye(3)[y] + rng.normal(size=(200, 3))
    plain = OffsetTuner("f1_macro", kind="logits")
    recorded = OffsetTuner("f1_macro", kind="logits", n_jobs=n_jobs).set_callbacks(Counter())
    np.testing.assert_array_equal(recorded.fit(logits, y).offsets_, plain.fit(logits, y).offsets_)


def test_a_tuner_tears_down_after_an_error():
    recorder = Recorder()
    with pytest.raises(ValueError, match="takes probabilities"):
        OffsetTuner().set_callbacks(recorder).fit([[0.5, 2.0], [0.1, 0.9]], [0, 1])
    assert recorder.events == ["setup", ("begin", "fit", 0), "teardown"]
