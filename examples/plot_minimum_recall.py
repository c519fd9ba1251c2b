"""
Precision with a minimum recall
===============================

Fraud detection often requires a minimum recall, such as 90%, with as few false positives as possible. The constraint is
``AtLeast("recall", 0.9)``, and the objective is precision. The example shows the loss of precision for the constraint,
without and with a confidence.
"""

# %%
# The data
# --------
#
# The frauds in this example are a subsample of the ones in the digits data of scikit-learn. Their proportion is the
# same in the training and the test samples.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import TunedOffsetClassifierCV
from skimbalance.goals import AtLeast


def draw_data(seed=0, n_frauds=60):
    """Split the digits into halves, and keep `n_frauds` of the ones, as frauds, in each."""
    X, digits = load_digits(return_X_y=True)
    y = np.where(digits == 1, "fraud", "clean")
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    halves = []
    for X_half, y_half in ((X, y), (X_test, y_test)):
        rng = np.random.default_rng(seed)
        clean, frauds = (rng.permutation(np.flatnonzero(y_half == label)) for label in ("clean", "fraud"))
        kept = np.concatenate([clean, frauds[:n_frauds]])
        halves += [X_half[kept], y_half[kept]]
    return halves


X, y, X_test, y_test = draw_data()
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
print(f"{(y == 'fraud').sum()} frauds among {len(y)} training samples")
print(f"{(y_test == 'fraud').sum()} frauds among {len(y_test)} test samples")

# %%
# Three settings for one model
# ----------------------------
#
# Without a constraint, the best precision has a recall close to zero. A constraint without a confidence holds in
# expectation, so that unseen data satisfy it a little more often than every other time. With ``confidence=0.9`` and
# ``new_samples=60``, sixty new frauds satisfy it in at least nine of ten cases on average. The model is fitted once;
# ``retune`` only fits offsets.

settings = {
    "no constraint": [],
    "constraint": [AtLeast("recall", 0.9)],
    "constraint, confidence": [AtLeast("recall", 0.9, confidence=0.9, new_samples=60)],
}
fitted = TunedOffsetClassifierCV(model, objective="precision", pos_label="fraud", store_cv_results=True).fit(X, y)
tuned = {name: fitted.retune(constraints=constraints) for name, constraints in settings.items()}


def achieved(clf, X, y):
    """Return recall and precision of the frauds."""
    predicted = clf.predict(X)
    return recall_score(y, predicted, pos_label="fraud"), precision_score(y, predicted, pos_label="fraud")


for name, clf in tuned.items():
    recall, precision = achieved(clf, X_test, y_test)
    print(f"{name:>22}: recall {recall:.2f}, precision {precision:.2f} on test samples")

# %%
# How often the constraints are satisfied
# ---------------------------------------
#
# A single test set with sixty frauds is uncertain. Therefore the split is repeated twenty times.

draws = [draw_data(seed) for seed in range(1, 21)]
recalls = {name: [] for name in ("constraint", "constraint, confidence")}
for X_draw, y_draw, X_new, y_new in draws:
    fitted.fit(X_draw, y_draw)
    for name in recalls:
        recalls[name].append(achieved(fitted.retune(constraints=settings[name]), X_new, y_new)[0])
for name, values in recalls.items():
    print(f"{name:>22}: satisfied in {sum(value >= 0.9 for value in values)} of {len(values)} draws")

# %%
# The threshold curve
# -------------------
#
# The figure shows precision and recall on test samples at each threshold. The shaded area violates the constraint. A
# line with an interval marks the threshold without a confidence. The dashed line is the threshold with a confidence.

import matplotlib.pyplot as plt

from skimbalance.plotting import ThresholdCurveDisplay

display = ThresholdCurveDisplay.from_estimator(
    tuned["constraint"], X_test, y_test, metrics=["precision", "recall"], constraints=settings["constraint"]
)
confident = tuned["constraint, confidence"].threshold_
display.ax_.axvline(confident, color="black", linestyle="--")
display.ax_.annotate("with\nconfidence", (confident, 0.05), xytext=(-4, 0), textcoords="offset points", ha="right")
plt.show()
