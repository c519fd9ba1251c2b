"""The rows to be predicted come with other shares of the classes than the rows to train on.

A model trained on long-tailed digits is deployed where the tail is the same (forward), where all digits are equally
frequent (uniform), and where the tail is turned around (backward). Run it with ``python examples/deployment_prior.py``.
"""

import warnings

import numpy as np
from data import long_tailed_digits
from sklearn.ensemble import RandomForestClassifier

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning


def main():
    """Print the accuracy under each prior: untuned, by the closed form, and tuned for that prior."""
    warnings.simplefilter("ignore", FewRowsWarning)  # the nine has seven rows
    X, y, X_test, y_test = long_tailed_digits()
    tail = np.bincount(y) / len(y)
    model = RandomForestClassifier(random_state=0)
    plain = model.fit(X, y).predict(X_test)
    tuned = TunedOffsetClassifierCV(model, objective="accuracy", store_cv_results=True).fit(X, y)
    print(f"{'prior of the test rows':>24} {'untuned':>8} {'closed form':>12} {'tuned':>8}")
    for name, prior in {"forward": tail, "uniform": np.full(10, 0.1), "backward": tail[::-1]}.items():
        fixed = FixedOffsetClassifier(model, target_prior=prior).fit(X, y)
        retuned = tuned.retune(class_prior=prior)
        weights = (prior / np.bincount(y_test))[y_test]
        untuned, closed, ours = (
            np.average(predicted == y_test, weights=weights)
            for predicted in (plain, fixed.predict(X_test), retuned.predict(X_test))
        )
        print(f"{name:>24} {untuned:8.3f} {closed:12.3f} {ours:8.3f}")


if __name__ == "__main__":
    main()
