"""A metric of your own: the harmonic mean of the recalls, of which the search knows nothing but values.

Run it with ``python examples/own_metric.py``.
"""

import numpy as np
from data import long_tailed_digits
from sklearn.ensemble import RandomForestClassifier

from skimbalance import TunedOffsetClassifierCV
from skimbalance.solvers import Search


def harmonic_recall(y_true, y_pred, *, sample_weight=None):
    """Return the harmonic mean of the recalls of all classes, zero where one has no hit."""
    weight = np.ones(len(y_true)) if sample_weight is None else sample_weight
    recalls = [np.average(y_pred[y_true == c] == c, weights=weight[y_true == c]) for c in np.unique(y_true)]
    return 0.0 if min(recalls) == 0 else len(recalls) / sum(1 / recall for recall in recalls)


def progress(n_evaluations, best):
    """Tell how it goes; a true value would stop the search."""
    if n_evaluations % 500 == 0:
        print(f"{n_evaluations} evaluations: {best:.3f} on softened labels")


def main():
    """Print the metric on test rows, untuned and tuned."""
    X, y, X_test, y_test = long_tailed_digits()
    model = RandomForestClassifier(random_state=0)
    how = Search(budget=2000, callback=progress)
    tuned = TunedOffsetClassifierCV(model, objective=harmonic_recall, solver=how).fit(X, y)
    print(f"untuned, on test rows: {harmonic_recall(y_test, model.fit(X, y).predict(X_test)):.3f}")
    print(f"tuned, on test rows:   {harmonic_recall(y_test, tuned.predict(X_test)):.3f}")


if __name__ == "__main__":
    main()
