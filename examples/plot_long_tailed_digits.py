"""
Long-tailed digits, tuned for macro-F1
======================================

The training data have ten classes, from 100 samples of the zero to 7 of the nine. A random forest has low recall for
eights and nines. One offset per class, fitted on out-of-fold probabilities, increases it. The example shows recall and
precision of each class, and the expected score.
"""

# %%
# The data
# --------
#
# There are about 72 test samples of each digit, so that minority classes can be evaluated too. Macro-F1 depends on the
# class priors. Weights give the test samples the priors of the training samples, which the offsets are tuned for.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten samples
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 7 nines for training
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
weights = (np.bincount(y) / np.bincount(y_test))[y_test]
print(f"training samples by digit: {np.bincount(y)}")

# %%
# Before and after
# ----------------

model = RandomForestClassifier(random_state=0)
before = model.fit(X, y).predict(X_test)
tuned = TunedOffsetClassifierCV(model, objective="f1_macro").fit(X, y)
after = tuned.predict(X_test)

for name, predicted in {"before": before, "after": after}.items():
    score = f1_score(y_test, predicted, average="macro", sample_weight=weights)
    print(f"macro-F1 on test samples, {name:>6}: {score:.3f}")
low, high = tuned.score_interval_
print(f"expected after tuning, from cross-fitting: {tuned.score_:.3f}, from {low:.3f} to {high:.3f}")

# %%
# Each class
# ----------
#
# The recall of eights and nines increases, and their precision decreases. Digits that were predicted in their place
# gain precision and lose little recall.

import matplotlib.pyplot as plt

from skimbalance.plotting import ClassProfileDisplay

ClassProfileDisplay.from_predictions(y_test, after, y_pred_before=before, sample_weight=weights)
plt.show()
