"""
How stable a threshold is
=========================

A threshold tuned on twenty frauds depends on which twenty they are. The in-sample optimum, ``estimate="empirical"``,
follows each of them; the default, ``estimate="robust"``, averages over what the rows might have been. The example
draws the rows thirty times anew, and looks at the thresholds, and at the F1 they reach on rows not seen.
"""

# %%
# Thirty draws
# ------------
#
# ``OffsetTuner`` takes scores that are there already: here out-of-fold probabilities, computed once for both estimates.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import OffsetTuner


def draw_data(seed=0, n_frauds=20):
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


model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
estimates = ["empirical", "robust"]


def tune_both(seed):
    """Return the tuners fitted on one draw, and the F1 of each on its test rows."""
    X, y, X_test, y_test = draw_data(seed)
    held_out = cross_val_predict(model, X, y, method="predict_proba")
    tuners = [OffsetTuner("f1", estimate=estimate).fit(held_out, y) for estimate in estimates]
    proba = model.fit(X, y).predict_proba(X_test)
    return tuners, [f1_score(y_test, tuner.predict(proba), pos_label="fraud") for tuner in tuners]


draws = [tune_both(seed) for seed in range(30)]
tested = np.array([scores for _, scores in draws])
thresholds = np.array([[tuner.threshold_ for tuner in tuners] for tuners, _ in draws])
promised = np.array([[tuner.in_sample_score_ for tuner in tuners] for tuners, _ in draws])
for place, estimate in enumerate(estimates):
    low, high = np.quantile(thresholds[:, place], [0.1, 0.9])
    print(
        f"{estimate:>9}: eight thresholds of ten from {low:.2f} to {high:.2f}, F1 {promised[:, place].mean():.3f} on "
        f"the rows of the fit, {tested[:, place].mean():.3f} on test rows"
    )
better, worse = (tested[:, 1] > tested[:, 0]).sum(), (tested[:, 1] < tested[:, 0]).sum()
print(f"robust is the better one on the test rows of {better} draws, the worse one of {worse}")

# %%
# The robust threshold varies less. In the mean that is worth a little on test rows; in a single draw it may be worth
# nothing, or less. What the in-sample optimum reaches on the rows of the fit is more than it keeps on new ones.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, values, name in zip(axes, (thresholds, tested), ("threshold", "F1 on test rows"), strict=True):
    ax.plot(estimates, values.T, color="0.8", linewidth=0.8)
    for place in range(2):
        ax.scatter(np.full(30, place), values[:, place], color=f"C{place}", alpha=0.6, zorder=2)
        ax.hlines(values[:, place].mean(), place - 0.15, place + 0.15, color="black", zorder=3)
    ax.set(title=f"{name}, by draw", xlim=(-0.5, 1.5))
plt.show()

# %%
# What one draw can tell
# ----------------------
#
# Who has only one draw, as everybody has, asks the tuner: ``offsets_interval_`` tells how sure each offset is, and
# ``score_interval_`` what to expect of as many new rows.

from skimbalance.plotting import OffsetIntervalDisplay

(_, robust), (_, reached) = draws[0]
low, high = robust.score_interval_
print(f"expected F1: {robust.score_:.3f}, from {low:.3f} to {high:.3f}; on the test rows of this draw: {reached:.3f}")
OffsetIntervalDisplay.from_estimator(robust)
plt.show()
