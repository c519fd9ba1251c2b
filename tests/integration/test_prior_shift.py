"""The deployment's class prior: gains grow as it moves away from that of the training."""

import numpy as np
import pytest

from skimbalance import OffsetTuner


@pytest.fixture(scope="module")
def fashion(data_folder):
    with np.load(data_folder / "deep_fashion_lt100.npz", allow_pickle=True) as data:
        return tuple(data[key] for key in ("logits_val", "y_val", "logits_test", "y_test"))


def test_forward_uniform_backward(fashion):
    """The shape of Table 6 of LADE (Hong et al. 2021): no gain, a middling one, a large one."""
    logits, y, test, y_test = fashion
    tail = np.bincount(y) / len(y)
    gains = {}
    for name, prior in {"forward": tail, "uniform": np.full(10, 0.1), "backward": tail[::-1]}.items():
        tuner = OffsetTuner("accuracy", kind="logits", class_prior=prior).fit(logits, y)
        weights = (prior / np.bincount(y_test))[y_test]
        plain, tuned = (
            np.average(decided == y_test, weights=weights) for decided in (test.argmax(axis=1), tuner.predict(test))
        )
        gains[name] = tuned - plain
        assert tuner.score_interval_[0] <= tuned <= tuner.score_interval_[1]
    assert abs(gains["forward"]) < 0.01
    assert 0.02 < gains["uniform"] < gains["backward"]
    assert gains["backward"] > 0.1
