"""
Multilabel classification
=========================

A sample is a strip of three digits, with a label for each digit on it. High digits are minority labels. A random forest
rarely gives them a probability above one half, so that their recall is close to zero. One offset per label, equivalent
to one threshold per label, increases it.
"""

# %%
# The data
# --------
#
# Each strip shows three digits of scikit-learn side by side. Each digit is about two thirds as frequent as the previous
# one. The target is an indicator with one column per digit. Training and test strips use different digit images.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV

X_digits, digits = load_digits(return_X_y=True)
halves = train_test_split(np.arange(len(digits)), test_size=0.5, stratify=digits, random_state=0)
rng, parts = np.random.default_rng(0), []
for half in halves:  # training and test strips have no image in common
    prior = 0.65 ** np.arange(10)  # each digit is 0.65 as frequent as the previous one
    odds = (prior / np.bincount(digits[half]))[digits[half]]
    chosen = rng.choice(half, (1500, 3), p=odds / odds.sum())
    parts += [X_digits[chosen].reshape(1500, -1), np.eye(10, dtype=int)[digits[chosen]].max(axis=1)]
X, y, X_test, y_test = parts
print(f"shape of the indicator: {y.shape}, labels on a strip: {y.sum(axis=1).mean():.1f}")
print(f"strips with each digit: {y.sum(axis=0)}")

# %%
# Averages over labels
# --------------------
#
# The names of the metrics are those of scikit-learn. Macro-F1 is the mean over the labels, micro-F1 counts all labels
# of all strips, and the F1 of samples is the mean over the strips. The forest is fitted once and tuned three times.

forest = RandomForestClassifier(50, random_state=0, n_jobs=1)
clf = TunedOffsetClassifierCV(forest, objective="f1_macro", cv=3, store_cv_results=True).fit(X, y)
tuned = {average: clf.retune(objective=f"f1_{average}") for average in ("macro", "micro", "samples")}

before = clf.estimator_.predict(X_test)
for average, other in tuned.items():
    scores = [f1_score(y_test, each, average=average, zero_division=0) for each in (before, other.predict(X_test))]
    low, high = other.score_interval_
    print(f"F1 {average:>7}: {scores[0]:.2f} before, {scores[1]:.2f} after, expected {low:.2f} to {high:.2f}")

# %%
# A threshold for each label
# --------------------------
#
# The report gives the offset and the threshold of each digit, and its recall and precision in cross-fitting.

print(clf.tuner_.report())

# %%
# Each label
# ----------
#
# On the test strips, digits with a recall of zero now have true positives. Digits in the middle have twice the recall
# at a lower precision. The most frequent digits change little.

import matplotlib.pyplot as plt

from skimbalance.plotting import ClassProfileDisplay

ClassProfileDisplay.from_estimator(clf, X_test, y_test)
plt.show()
