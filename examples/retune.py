"""Regulate a deployed model: the same forest, goal after goal, without training it again.

Run it with ``python examples/retune.py``.
"""

import warnings
from time import perf_counter

import numpy as np
from data import long_tailed_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import recall_score

from skimbalance import TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning
from skimbalance.goals import AtLeast, Near
from skimbalance.metrics import imbalance_degree_score


def main():
    """Fit once, retune four times, and print what became of the rarest digits."""
    warnings.simplefilter("ignore", FewRowsWarning)  # the nine has seven rows
    X, y, X_test, y_test = long_tailed_digits()
    begin = perf_counter()
    clf = TunedOffsetClassifierCV(
        RandomForestClassifier(random_state=0), objective="accuracy", store_cv_results=True
    ).fit(X, y)
    print(f"fitted in {perf_counter() - begin:.1f} s for accuracy")
    goals = {
        "accuracy, as fitted": {},
        "balanced accuracy": {"objective": "balanced_accuracy"},
        "accuracy, every recall of the nine at least 0.8": {"constraints": [AtLeast("recall", 0.8, label=9)]},
        "accuracy, imbalance degree near 0.05": {"constraints": [Near("imbalance_degree", 0.05)]},
        "macro-F1": {"objective": "f1_macro"},
    }
    for name, goal in goals.items():
        begin = perf_counter()
        predicted = clf.retune(**goal).predict(X_test)
        seconds = perf_counter() - begin
        recalls = recall_score(y_test, predicted, average=None)
        prior = np.bincount(y)  # the degree says who is favoured by how frequent the classes were in training
        degree = imbalance_degree_score(y_test, predicted, prior=prior)
        print(
            f"{name:>48}: accuracy {np.mean(predicted == y_test):.3f}, recall of 7, 8, 9 "
            f"{recalls[7]:.2f} {recalls[8]:.2f} {recalls[9]:.2f}, degree {degree:+.3f} ({seconds:.2f} s)"
        )


if __name__ == "__main__":
    main()
