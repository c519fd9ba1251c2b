"""Data frames of shifted scores, where scikit-learn's configuration requests them."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils import get_tags

from skimbalance import OffsetTuner, TunedOffsetClassifierCV


@pytest.fixture
def scores():
    return np.random.default_rng(0).dirichlet([2, 1, 1], size=300)


@pytest.fixture
def tuner(scores):
    return OffsetTuner().fit(scores, np.array(["a", "b", "c"])[scores.argmax(axis=1)])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library, scores, tuner):
    pytest.importorskip(library)
    expected = tuner.transform(scores)
    assert isinstance(expected, np.ndarray)
    with sklearn.config_context(transform_output=library):
        frame = tuner.transform(scores)
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == list(tuner.get_feature_names_out()) == ["a", "b", "c"]
    np.testing.assert_array_equal(frame.to_numpy(), expected)
    configured = clone(tuner.set_output(transform=library)).fit(scores, tuner.predict(scores))
    assert type(configured.transform(scores)).__module__.startswith(library)


def test_the_index_of_samples_stays(scores, tuner):
    pd = pytest.importorskip("pandas")
    index = np.arange(300) + 1_000
    frame = tuner.set_output(transform="pandas").transform(pd.DataFrame(scores, columns=["a", "b", "c"], index=index))
    assert frame.index.tolist() == index.tolist()


def test_the_order_of_columns_is_that_of_labels(scores, tuner):
    pd = pytest.importorskip("pandas")
    frame = tuner.set_output(transform="pandas").transform(pd.DataFrame(scores[:, ::-1], columns=["c", "b", "a"]))
    np.testing.assert_array_equal(frame.to_numpy(), tuner.set_output(transform="default").transform(scores))


def test_chunks_are_arrays(scores, tuner):
    da = pytest.importorskip("dask.array")
    pytest.importorskip("pandas")
    expected = tuner.transform(scores)
    frame = tuner.set_output(transform="pandas").transform(da.from_array(scores, chunks=(100, 3)))
    np.testing.assert_array_equal(frame.to_numpy(), expected)


def test_the_classifier_and_the_tags_of_the_tuner_do_not_change(scores, tuner):
    pytest.importorskip("pandas")
    assert get_tags(tuner).transformer_tags is None
    y = tuner.predict(scores)
    plain = TunedOffsetClassifierCV(LogisticRegression()).fit(scores, y)
    with sklearn.config_context(transform_output="pandas"):
        configured = TunedOffsetClassifierCV(LogisticRegression()).fit(scores, y)
        np.testing.assert_array_equal(configured.offsets_, plain.offsets_)
        assert type(configured.predict_proba(scores)) is np.ndarray


@pytest.mark.parametrize("interface", ["spmatrix", "sparray"])
def test_predictions_are_dense_for_each_interface_of_sparse_arrays(interface):
    if "sparse_interface" not in sklearn.get_config():
        pytest.skip("since scikit-learn 1.9")
    from scipy.sparse import csr_array, csr_matrix

    X, y = make_multilabel_classification(200, n_classes=3, random_state=0)
    model = OneVsRestClassifier(LogisticRegression(max_iter=1_000))
    classifier = TunedOffsetClassifierCV(model, objective="f1_macro", confidence_level=None)
    expected = clone(classifier).fit(X, y).predict(X)
    with sklearn.config_context(sparse_interface=interface):
        for sparse in (csr_array, csr_matrix):
            predicted = clone(classifier).fit(sparse(X), sparse(y)).predict(sparse(X))
            assert type(predicted) is np.ndarray
            np.testing.assert_array_equal(predicted, expected)
