"""A cost matrix: a malignant tumour called benign costs ten times as much as a false alarm.

Run it with ``python examples/cost_matrix.py``.
"""

import numpy as np
from data import rare_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix

from skimbalance import TunedOffsetClassifierCV
from skimbalance.metrics import Cost

COSTS = np.array([[0, 1], [10, 0]])
"""Rows by truth, columns by decision: benign, malignant."""


def main():
    """Print what the decisions cost on test rows, untuned and tuned."""
    X, y, X_test, y_test = rare_cancer()
    model = RandomForestClassifier(random_state=0)
    tuned = TunedOffsetClassifierCV(model, objective=Cost(COSTS)).fit(X, y)
    for name, clf in {"untuned": model.fit(X, y), "tuned": tuned}.items():
        table = confusion_matrix(y_test, clf.predict(X_test))
        missed, alarms = table[1, 0], table[0, 1]
        print(
            f"{name:>8}: {missed} missed, {alarms} false alarms, cost {(table * COSTS).sum() / len(y_test):.3f} a row"
        )
    low, high = tuned.score_interval_
    print(f"expected on rows like those of the training: {tuned.score_:.3f}, from {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
