"""Nets of several labels a row."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from sklearn.datasets import make_multilabel_classification  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from support import nets  # noqa: E402

from skimbalance import TunedOffsetClassifierCV  # noqa: E402
from skimbalance.callbacks import TunedOffsetCheckpoint  # noqa: E402
from skimbalance.nn import fold_offsets, net_logits  # noqa: E402

X, Y = make_multilabel_classification(300, n_features=4, n_classes=3, random_state=0)
X = X.astype(np.float32) / 10
ENDINGS = {
    "logits": (None, torch.nn.BCEWithLogitsLoss),
    "sigmoid": (torch.sigmoid, torch.nn.BCELoss),
    "sigmoid by hand": (nets.sigmoid_by_hand, torch.nn.BCELoss),
}


def made(how="logits"):
    torch.manual_seed(0)
    ending, criterion = ENDINGS[how]
    return skorch.NeuralNet(nets.Head, module__ending=ending, criterion=criterion, max_epochs=3, lr=0.5, verbose=0)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("how", ENDINGS)
def test_logits_are_the_log_odds_of_labels(how, trained):
    net = made(how)
    if trained:
        model, cv = net.fit(X, Y.astype(np.float32)), "prefit"
    else:
        model, cv = make_pipeline(StandardScaler(), net), 2
    clf = TunedOffsetClassifierCV(model, objective="f1_macro", cv=cv).fit(X, Y)
    inner, samples = (net, X) if trained else (clf.estimator_[-1], clf.estimator_[:-1].transform(X))
    assert clf.tuner_.kind == "logits"
    expected = nets.layer_of(inner)(samples).numpy() + clf.offsets_
    np.testing.assert_allclose(clf.decision_function(X), expected, atol=1e-4)
    assert clf.tuner_.in_sample_score_ >= clf.tuner_.untuned_score_


def test_offsets_fold_into_a_net():
    clf = TunedOffsetClassifierCV(made(), objective="f1_macro", cv=2).fit(X, Y)
    logits = net_logits(fold_offsets(clf.estimator_, clf.offsets_), X).numpy()
    np.testing.assert_allclose(logits, clf.decision_function(X), atol=1e-5)


def test_a_classifier_of_skorch():
    net = skorch.NeuralNetClassifier(
        nets.Head, criterion=torch.nn.BCEWithLogitsLoss, train_split=None, max_epochs=3, lr=0.5, verbose=0
    )
    clf = TunedOffsetClassifierCV(net, objective="f1_micro", cv=2).fit(X, Y)
    assert clf.predict(X).shape == Y.shape
    assert clf.tuner_.in_sample_score_ > clf.tuner_.untuned_score_


def test_the_callback_does_not_support_multilabel_targets():
    net = made().set_params(callbacks=[TunedOffsetCheckpoint("f1_macro")])
    with pytest.raises(ValueError, match="TunedOffsetCheckpoint supports one label per sample; got targets of shape"):
        net.fit(X, Y.astype(np.float32))
