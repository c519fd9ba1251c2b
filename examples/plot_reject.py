"""
Reject uncertain samples
========================

Some samples are better decided by a person. With a ``reject_label``, the classifier decides about 90% of the
samples, or as many as an accuracy allows. Later, a monitor tests on labelled batches whether the accuracy still holds.
"""

# %%
# The data
# --------
#
# The digits data of scikit-learn, with few training samples.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import ConstraintMonitor, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.6, stratify=y, random_state=0)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))

# %%
# Two goals for one model
# -----------------------
#
# The accuracy has a confidence of 90%. The label ``-1`` stands for rejected samples, as the classes are numbers.

goals = {
    "decide at least 90%": [AtLeast("coverage", 0.9)],
    "accuracy at least 98%": [AtLeast("accuracy", 0.98, confidence=0.9)],
}
fitted = TunedOffsetClassifierCV(
    model, objective="accuracy", constraints=goals["decide at least 90%"], reject_label=-1, store_cv_results=True
).fit(X, y)
tuned = {name: fitted.retune(constraints=constraints) for name, constraints in goals.items()}
for name, clf in tuned.items():
    predicted = clf.predict(X_test)
    decided = predicted != -1
    print(f"{name:>22}: {decided.mean():.1%} decided, {(predicted == y_test)[decided].mean():.1%} of these correct")

# %%
# A monitor of the accuracy
# -------------------------
#
# The test samples arrive in batches. In the last ones the images get noise, as from a defective scanner. The evidence
# against the constraint rises, and the monitor reports that it is broken.

clf = tuned["accuracy at least 98%"]
monitor = ConstraintMonitor(clf, AtLeast("accuracy", 0.98), alpha=0.05)
rng = np.random.default_rng(0)
batches = np.array_split(np.arange(len(y_test)), 12)
for number, batch in enumerate(batches):
    noise = rng.normal(scale=2.5, size=X_test[batch].shape) if number >= 8 else 0
    monitor.update(X_test[batch] + noise, y_test[batch])
    print(f"batch {number:>2}: evidence {monitor.e_value:8.2g}, broken: {monitor.is_broken}")

# %%
# The error rate against the coverage
# -----------------------------------
#
# Each point of the curve rejects the least probable decisions. The mark is the fitted rejection.

import matplotlib.pyplot as plt

from skimbalance.plotting import RiskCoverageDisplay

RiskCoverageDisplay.from_estimator(clf, X_test, y_test)
plt.show()
