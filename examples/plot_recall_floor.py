"""
Find nine frauds of ten
=======================

Whoever looks for frauds often has a floor to keep: nine of ten are to be found, with as few false alarms as that
allows. This is a constraint, ``AtLeast("recall", 0.9)``, beside the objective, precision. The example shows what the
floor costs, and what it costs to keep it with confidence.
"""

# %%
# The data
# --------
#
# No fraud data ship with scikit-learn. The digits do: the ones among them, thinned out, stand for the frauds. They are
# as rare in the test as among the rows to train on.

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
    """Split the digits into halves, and keep `n_frauds` of the ones, which stand for frauds, in each."""
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
print(f"{(y == 'fraud').sum()} frauds among {len(y)} rows to train on")
print(f"{(y_test == 'fraud').sum()} frauds among {len(y_test)} test rows")

# %%
# Three goals for one model
# -------------------------
#
# Without a floor the best precision is that of the surest row: nearly all frauds are missed. A plain floor is kept in
# expectation, which on new rows is a little more than every other time. With ``confidence=0.9`` the floor is raised by
# what the decisions may lose on new rows. The model is fitted once; ``retune`` fits nothing but offsets.

floors = {
    "no floor": [],
    "floor": [AtLeast("recall", 0.9)],
    "floor, with confidence": [AtLeast("recall", 0.9, confidence=0.9)],
}
fitted = TunedOffsetClassifierCV(model, objective="precision", pos_label="fraud", store_cv_results=True).fit(X, y)
tuned = {name: fitted.retune(constraints=floor) for name, floor in floors.items()}


def achieved(clf, X, y):
    """Return recall and precision of the frauds."""
    predicted = clf.predict(X)
    return recall_score(y, predicted, pos_label="fraud"), precision_score(y, predicted, pos_label="fraud")


for name, clf in tuned.items():
    recall, precision = achieved(clf, X_test, y_test)
    print(f"{name:>22}: recall {recall:.2f}, precision {precision:.2f} on test rows")

# %%
# Do the floors hold?
# -------------------
#
# One test of sixty frauds says little. So draw the rows to train and to test on anew, twenty times, and count.

draws = [draw_data(seed) for seed in range(1, 21)]
recalls = {name: [] for name in ("floor", "floor, with confidence")}
for X_draw, y_draw, X_new, y_new in draws:
    fitted.fit(X_draw, y_draw)
    for name in recalls:
        recalls[name].append(achieved(fitted.retune(constraints=floors[name]), X_new, y_new)[0])
for name, values in recalls.items():
    print(f"{name:>22}: held in {sum(value >= 0.9 for value in values)} of {len(values)} draws")

# %%
# The choice, drawn
# -----------------
#
# Precision and recall of the test rows at every threshold; where the recall is below the floor, the picture is shaded.
# The threshold of the plain floor is marked, with its interval; that of the floor with confidence lies farther left.

import matplotlib.pyplot as plt

from skimbalance.plotting import ThresholdCurveDisplay

display = ThresholdCurveDisplay.from_estimator(
    tuned["floor"], X_test, y_test, metrics=["precision", "recall"], constraints=floors["floor"]
)
careful = tuned["floor, with confidence"].threshold_
display.ax_.axvline(careful, color="black", linestyle="--")
display.ax_.annotate("with\nconfidence", (careful, 0.05), xytext=(4, 0), textcoords="offset points")
plt.show()
