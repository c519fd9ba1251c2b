"""A response of other rows than were asked for is refused, whoever asks."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance._core.validation import count_samples
from skimbalance.scorers import imbalance_state_scorer


def displays():
    """The module of displays; without matplotlib the test is skipped."""
    return pytest.importorskip("skimbalance.plotting", exc_type=ImportError)


X, Y = make_classification(90, n_informative=4, n_classes=3, random_state=0)
SEVERAL = np.stack([k == Y for k in range(3)], axis=1).astype(int)


class Few(ClassifierMixin, BaseEstimator):
    """A classifier that returns `extra` rows more than it was asked for, by one of its methods."""

    def __init__(self, extra=0, method="predict_proba", inner=None):
        self.extra = extra
        self.method = method
        self.inner = inner

    def fit(self, X, y):
        self.inner_ = (self.inner or LogisticRegression()).fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def _resized(self, method, X):
        response = getattr(self.inner_, method)(X)
        return np.resize(response, (len(response) + self.extra, *response.shape[1:]))

    def __getattr__(self, name):
        if name == self.__dict__.get("method"):
            return lambda X: self._resized(name, X)
        raise AttributeError(name)

    def predict(self, X):
        return self.inner_.predict(X)


@pytest.mark.parametrize("extra", [-1, 1])
@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
@pytest.mark.parametrize("wrap", [FixedOffsetClassifier, TunedOffsetClassifierCV], ids=["fixed", "tuned"])
def test_other_numbers_of_samples_are_refused(extra, method, wrap):
    inner = Few(method=method).fit(X, Y)
    options = {"cv": "prefit"} if wrap is TunedOffsetClassifierCV else {}
    clf = wrap(inner, **options).fit(X, Y)
    clf.estimator_.extra = extra
    message = rf"{method} of estimator Few must return .* shape \(90, 3\); got shape \({90 + extra}, 3\)"
    for ask in (clf.predict, clf.predict_proba, clf.decision_function, clf.predict_log_proba):
        with pytest.raises(ValueError, match=message):
            ask(X)
    if wrap is TunedOffsetClassifierCV:
        asks = (
            clf.adapt_to,
            lambda X: clf.retune(X, Y),
            lambda X: displays().ClassProfileDisplay.from_estimator(clf, X, Y),
        )
        for ask in asks:
            with pytest.raises(ValueError, match=message):
                ask(X)


def test_a_fold_of_other_samples_is_refused():
    with pytest.raises(ValueError, match=r"predict_proba of estimator Few .* shape \(18, 3\); got shape \(17, 3\)"):
        TunedOffsetClassifierCV(Few(extra=-1)).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"predict_proba of estimator Pipeline .* shape \(18, 3\); got shape \(19, 3\)"
    ):
        TunedOffsetClassifierCV(make_pipeline(StandardScaler(), Few(extra=1))).fit(X, Y)


def test_scorers_refuse_other_samples():
    with pytest.raises(ValueError, match=r"predict_proba of estimator Few .*got shape \(89, 3\)"):
        imbalance_state_scorer(Few(extra=-1).fit(X, Y), X)


def test_two_scores_of_one_sample_are_refused():
    clf = FixedOffsetClassifier(Few(method="decision_function")).fit(X, Y == 1)
    assert clf.predict(X[:1]).shape == (1,)
    clf.estimator_.extra = 1
    with pytest.raises(ValueError, match=r"must return .* shape \(1, 2\) or \(1,\); got shape \(2,\)"):
        clf.predict(X[:1])


@pytest.mark.parametrize("extra", [-1, 1])
def test_multilabel_samples_are_counted(extra):
    inner = Few(inner=OneVsRestClassifier(LogisticRegression())).fit(X, SEVERAL)
    clf = TunedOffsetClassifierCV(inner, cv="prefit", objective="f1_macro").fit(X, SEVERAL)
    clf.estimator_.extra = extra
    message = rf"predict_proba of estimator Few .*\(90, 3\) or a list .* got shape \({90 + extra}, 3\)"
    for ask in (clf.predict, clf.decision_function, lambda X: clf.retune(X, SEVERAL)):
        with pytest.raises(ValueError, match=message):
            ask(X)


class Pairs(ClassifierMixin, BaseEstimator):
    """A classifier of several labels that returns a list, whose last array has another number of rows."""

    def fit(self, X, y):
        self.classes_ = [np.arange(2)] * y.shape[1]
        return self

    def predict_proba(self, X):
        return [np.full((len(X) - (label == 2), 2), 0.5) for label in range(3)]


def test_lists_of_several_lengths_are_refused():
    clf = TunedOffsetClassifierCV(Pairs().fit(X, SEVERAL), cv="prefit", objective="f1_macro")
    with pytest.raises(ValueError, match=r"predict_proba of estimator Pairs .*\[\(90, 2\), \(90, 2\), \(89, 2\)\]"):
        clf.fit(X, SEVERAL)


class TestNets:
    @pytest.fixture
    def torch(self):
        pytest.importorskip("skorch")
        return pytest.importorskip("torch")

    def test_a_loader_that_drops_samples_is_refused(self, torch):
        from skorch import NeuralNetClassifier

        from skimbalance.nn import net_logits

        net = NeuralNetClassifier(
            torch.nn.Linear,
            module__in_features=X.shape[1],
            module__out_features=3,
            criterion=torch.nn.CrossEntropyLoss,
            max_epochs=1,
            verbose=0,
            train_split=None,
            batch_size=32,
            iterator_valid__drop_last=True,
        ).fit(X.astype(np.float32), Y)
        with pytest.raises(ValueError, match=r"net must return a row for each sample of X, 90; got shape \(64, 3\)"):
            net_logits(net, X.astype(np.float32))
        with pytest.raises(ValueError, match="net must return a row for each sample of X, 90"):
            TunedOffsetClassifierCV(net, cv="prefit").fit(X.astype(np.float32), Y)

    @pytest.mark.parametrize("loader", [False, True])
    def test_a_module_that_pools_samples_is_refused(self, torch, loader):
        from skimbalance.nn import net_logits

        class Pooled(torch.nn.Module):
            def forward(self, X):
                return X.mean(dim=0)

        samples = torch.as_tensor(X, dtype=torch.float32)
        given = (
            [(samples[:50], torch.as_tensor(Y[:50])), (samples[50:], torch.as_tensor(Y[50:]))] if loader else samples
        )
        n = 50 if loader else 90
        with pytest.raises(
            ValueError, match=rf"net must return a row for each sample of a batch, {n}; got shape \(20,\)"
        ):
            net_logits(Pooled(), given)

    def test_a_checkpoint_refuses_other_samples(self, torch):
        from skorch import NeuralNetClassifier

        from skimbalance.callbacks import TunedOffsetCheckpoint

        class Cut(torch.nn.Linear):
            def forward(self, X):
                return super().forward(X if self.training else X[1:])

        net = NeuralNetClassifier(
            Cut,
            module__in_features=X.shape[1],
            module__out_features=3,
            criterion=torch.nn.CrossEntropyLoss,
            max_epochs=1,
            verbose=0,
            callbacks=[TunedOffsetCheckpoint("f1_macro")],
        )
        net.get_loss = lambda y_pred, *_, **__: y_pred.mean()
        net.set_params(callbacks__valid_acc=None)
        with pytest.raises(
            ValueError, match=r"net must return a row for each sample of a batch, 18; got shape \(17, 3\)"
        ):
            net.fit(X.astype(np.float32), Y)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.zeros((4, 2)), 4),
        (sparse.csr_matrix((4, 2)), 4),
        ([[0, 1], [1, 0]], 2),
        (["some text"] * 3, 3),
        ({"a": np.zeros((4, 2)), "b": np.zeros(4)}, 4),
        ({"a": np.zeros((4, 2)), "b": np.zeros(3)}, None),
        ([np.zeros((4, 2)), np.zeros((4, 3))], None),
        (iter([1, 2]), None),
        (np.zeros(()), None),
    ],
)
def test_samples_are_counted_where_they_are_known(given, expected):
    assert count_samples(given) == expected
