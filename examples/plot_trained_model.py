"""
A model that is already trained
===============================

``FrozenEstimator`` and ``cv="prefit"`` fit offsets for an already trained forest, on samples that it was not trained
on, without training it again. The example tunes the forest for the geometric mean of the recalls. It shows the position
of the tuned decisions on the path from majority to minority classes.
"""

# %%
# Tuning on validation samples
# ----------------------------
#
# Half of the samples train the forest, the other half is for the offsets. Training samples are not suitable, since a
# forest predicts them almost perfectly.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.metrics import geometric_mean_score

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (20 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 20 nines for training
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
X_train, X_valid, y_train, y_valid = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
trained = RandomForestClassifier(random_state=0).fit(X_train, y_train)

tuned = TunedOffsetClassifierCV(FrozenEstimator(trained), objective="geometric_mean", cv="prefit").fit(X_valid, y_valid)
for name, clf in {"as trained": trained, "tuned": tuned}.items():
    score = geometric_mean_score(y_test, clf.predict(X_test))
    print(f"{name:>10}: geometric mean of the recalls {score:.3f} on test samples")
low, high = tuned.score_interval_
print(f"expected, from the {len(y_valid)} validation samples: {tuned.score_:.3f}, from {low:.3f} to {high:.3f}")

# %%
# From majority to minority classes
# ---------------------------------
#
# The curve shows decisions with offsets ``-tau log prior``. The imbalance degree is positive if decisions favour
# majority classes, and negative if they favour minority classes. Without offsets the forest favours majority classes,
# and both scores are better close to zero. A marker shows the tuned offsets. They may be off the curve, since each
# digit has its own offset. Weights give the balanced test samples the class priors of the validation samples.

import matplotlib.pyplot as plt

from skimbalance.plotting import ImbalanceCurveDisplay

weights = (np.bincount(y_valid) / np.bincount(y_test))[y_test]
ImbalanceCurveDisplay.from_estimator(
    tuned, X_test, y_test, metrics=["geometric_mean", "accuracy"], sample_weight=weights
)
plt.show()
