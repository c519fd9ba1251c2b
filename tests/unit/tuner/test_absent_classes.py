"""Classes without rows to tune on."""

import numpy as np
import pytest
from support.effort import seeds
from support.tuning import EXACT, NAMES, draw

from skimbalance import OffsetTuner
from skimbalance.metrics import Cost
from skimbalance.metrics._functions import score_labels
from skimbalance.metrics.registry import METRICS

pytestmark = pytest.mark.usefixtures("few_restarts")


class TestAbsentClasses:
    """A class without rows is neither tuned nor forgotten."""

    def fitted(self, **options):
        proba, y = draw(6, 3)
        padded = np.column_stack([proba * 0.9, np.full(len(y), 0.1)])
        return OffsetTuner("f1_macro", **options).fit(padded, y, classes=NAMES), OffsetTuner("f1_macro").fit(proba, y)

    def test_the_others_are_tuned_among_themselves(self):
        tuner, without = self.fitted()
        np.testing.assert_allclose(tuner.offsets_[:3] - tuner.offsets_[0], without.offsets_ - without.offsets_[0])
        assert tuner.offsets_.sum() == pytest.approx(0)

    @pytest.mark.parametrize("name", ["accuracy", "f1_macro", "geometric_mean", "jaccard_macro"])
    def test_an_absent_class_is_predicted_as_often_as_without_offsets(self, name):
        for seed in seeds(40, quick=4):
            proba, y = draw(seed, 4)
            kept = y != "bee"
            scored, labelled = proba[kept], y[kept]
            tuner = OffsetTuner(name, **EXACT).fit(scored, labelled, classes=NAMES)
            plain = NAMES[scored.argmax(axis=1)]
            assert tuner.in_sample_score_ >= score_labels(METRICS[name], labelled, plain)
            assert (tuner.predict(scored) == "bee").sum() == (plain == "bee").sum()
            if seed < 5:
                robust = OffsetTuner(name).fit(scored, labelled, classes=NAMES)
                assert (robust.predict(scored) == "bee").sum() == (plain == "bee").sum()

    def test_it_is_named(self):
        assert any("'dog'" in note for note in self.fitted()[0].notes_)

    def test_it_is_still_predicted(self):
        assert self.fitted()[0].predict([[0.01, 0.01, 0.01, 0.97]]) == ["dog"]

    def test_weights_of_zero_make_a_class_absent(self):
        proba, y = draw(6, 3)
        kept = y != "bee"
        tuner = OffsetTuner("f1_macro").fit(proba, y, sample_weight=kept.astype(float))
        without = OffsetTuner("f1_macro").fit(proba[kept], y[kept], classes=NAMES[:3])
        np.testing.assert_array_equal(tuner.offsets_, without.offsets_)
        assert (tuner.predict(proba[kept]) == "bee").sum() == (proba[kept].argmax(axis=1) == 1).sum()
        assert any("'bee'" in note for note in tuner.notes_)

    def test_a_cost_matrix_keeps_its_rows_and_columns(self):
        proba, y = draw(6, 3)
        kept = y != "bee"
        matrix = np.array([[0, 1, 5], [1, 0, 1], [9, 1, 0]])
        tuner = OffsetTuner(Cost(matrix), **EXACT).fit(proba[kept], y[kept], classes=NAMES[:3])
        pair = proba[kept][:, [0, 2]]
        cost = Cost(matrix[np.ix_([0, 2], [0, 2])])
        two = OffsetTuner(cost, **EXACT).fit(pair / pair.sum(axis=1, keepdims=True), y[kept])
        np.testing.assert_allclose(tuner.offsets_[0] - tuner.offsets_[2], two.offsets_[0] - two.offsets_[1])

    def test_no_weight_on_the_last_class(self):
        proba, y = draw(6, 3)
        for objective in (Cost(1 - np.eye(3)), "imbalance_degree", "f1_macro"):
            tuner = OffsetTuner(objective).fit(proba, y, sample_weight=(y != "cat").astype(float))
            assert np.isfinite(tuner.offsets_).all()

    def test_many_are_abridged(self):
        proba = np.full((40, 500), 1 / 500)
        tuner = OffsetTuner().fit(proba, np.arange(40) % 2, classes=np.arange(500))
        assert len(tuner.notes_[0]) < 300

    def test_nothing_absent_nothing_to_note(self):
        assert OffsetTuner(**EXACT).fit(*draw(0)).notes_ == []
