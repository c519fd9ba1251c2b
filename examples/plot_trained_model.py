"""
A model that is already trained
===============================

The forest is trained, and nobody wants to train it again. ``FrozenEstimator`` and ``cv="prefit"`` fit offsets on rows
that it was not trained on, and leave it as it is. The example tunes it for the geometric mean of the recalls, and shows
where on the way from the frequent classes to the rare ones the tuned decisions are.
"""

# %%
# Tune it on validation rows
# --------------------------
#
# Half of the rows train the forest, the others are for the offsets. Rows of the training would not do: a forest
# knows them by heart.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.metrics import geometric_mean_score

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (20 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros to train on, 20 nines
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
X_train, X_valid, y_train, y_valid = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
trained = RandomForestClassifier(random_state=0).fit(X_train, y_train)

tuned = TunedOffsetClassifierCV(FrozenEstimator(trained), objective="geometric_mean", cv="prefit").fit(X_valid, y_valid)
for name, clf in {"as trained": trained, "tuned": tuned}.items():
    score = geometric_mean_score(y_test, clf.predict(X_test))
    print(f"{name:>10}: geometric mean of the recalls {score:.3f} on test rows")
low, high = tuned.score_interval_
print(f"expected, from the {len(y_valid)} validation rows: {tuned.score_:.3f}, from {low:.3f} to {high:.3f}")

# %%
# From the frequent classes to the rare ones
# ------------------------------------------
#
# The curve turns the decisions with ``-tau log prior``. The imbalance degree says whom they favour: the frequent digits
# where it is positive, the rare ones where it is negative. Without offsets the forest favours the frequent ones, and
# both scores are better nearer to zero. The tuned offsets are marked: with one for each digit they need not lie on the
# curve. Weights give the test rows, as many of each digit, the shares of the validation rows.

import matplotlib.pyplot as plt

from skimbalance.plotting import ImbalanceCurveDisplay

weights = (np.bincount(y_valid) / np.bincount(y_test))[y_test]
ImbalanceCurveDisplay.from_estimator(
    tuned, X_test, y_test, metrics=["geometric_mean", "accuracy"], sample_weight=weights
)
plt.show()
