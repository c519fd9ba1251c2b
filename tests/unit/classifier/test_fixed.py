"""Offsets known beforehand."""

import numpy as np
import pytest
from support.samples import COLOURS, draw, logistic

from skimbalance import FixedOffsetClassifier


class TestFixed:
    def test_the_prior(self):
        X, y = draw()
        support = np.array([(y == c).sum() for c in COLOURS])
        for tau in (0.0, 0.5, 1.0):
            clf = FixedOffsetClassifier(logistic(), tau=tau).fit(X, y)
            np.testing.assert_allclose(clf.offsets_, tau * (np.log(support).mean() - np.log(support)), atol=1e-12)

    def test_a_target_prior_is_bayes_rule(self):
        X, y = draw()
        prior = np.array([(y == c).mean() for c in COLOURS])
        target = np.array([0.2, 0.2, 0.6])
        for given in (target, dict(zip(COLOURS, target, strict=True))):
            clf = FixedOffsetClassifier(logistic(), target_prior=given).fit(X, y)
            posterior = clf.estimator_.predict_proba(X) * target / prior
            np.testing.assert_allclose(clf.predict_proba(X), posterior / posterior.sum(axis=1, keepdims=True))

    def test_offsets_are_taken_as_they_are(self):
        X, y = draw()
        np.testing.assert_array_equal(
            FixedOffsetClassifier(logistic(), offsets=[1, 2, 3]).fit(X, y).offsets_, [1, 2, 3]
        )
        clf = FixedOffsetClassifier(logistic(), offsets={"coral": 100.0}).fit(X, y)
        np.testing.assert_array_equal(clf.offsets_, [0, 0, 100])
        assert set(clf.predict(X)) == {"coral"}

    def test_the_threshold(self):
        X, y = draw(2)
        clf = FixedOffsetClassifier(logistic()).fit(X, y)
        assert clf.threshold_ == pytest.approx((y == "blue").mean())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"offsets": [1, 2]}, r"offsets must be 3 numbers, one for each class; got shape \(2,\)"),
            ({"offsets": [1, 2, np.inf]}, "offsets must be finite"),
            ({"offsets": {"puce": 1}}, "offsets='puce' is not a class"),
            ({"offsets": "posterior"}, "'offsets' parameter of FixedOffsetClassifier"),
            ({"tau": 1e308}, "tau must keep the offsets finite"),
            ({"tau": "big"}, "'tau' parameter of FixedOffsetClassifier"),
            ({"target_prior": [0.5, 0.5, 0]}, "target_prior must be positive for every class"),
            ({"target_prior": {"amber": 1.0}}, "target_prior must name every class"),
        ],
    )
    def test_hostile_parameters(self, options, message):
        clf = FixedOffsetClassifier(logistic(), **options)
        with pytest.raises(ValueError, match=message):
            clf.fit(*draw())
        assert not [name for name in vars(clf) if name.endswith("_")]

    def test_a_class_without_weight_has_no_prior(self):
        X, y = draw()
        with pytest.raises(ValueError, match="positive sample_weight in every class; class 'blue' has none"):
            FixedOffsetClassifier(logistic()).fit(X, y, sample_weight=(y != "blue").astype(float))
