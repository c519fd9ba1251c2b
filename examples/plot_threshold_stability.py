"""
Stability of a threshold
========================

A threshold tuned on twenty frauds varies with the sample. The in-sample optimum, ``estimate="empirical"``, varies most.
The default, ``estimate="robust"``, averages over soft labels and bootstraps. The example draws thirty samples and
compares the thresholds, and their F1 on unseen data.
"""

# %%
# Thirty draws
# ------------
#
# ``OffsetTuner`` is fitted on scores: here out-of-fold probabilities, computed once for both estimates.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import OffsetTuner


def draw_data(seed=0, n_frauds=20):
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


model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
estimates = ["empirical", "robust"]


def tune_both(seed):
    """Return the tuners fitted on one draw, and the F1 of each on its test samples."""
    X, y, X_test, y_test = draw_data(seed)
    out_of_fold = cross_val_predict(model, X, y, method="predict_proba")
    tuners = [OffsetTuner("f1", estimate=estimate).fit(out_of_fold, y) for estimate in estimates]
    proba = model.fit(X, y).predict_proba(X_test)
    return tuners, [f1_score(y_test, tuner.predict(proba), pos_label="fraud") for tuner in tuners]


draws = [tune_both(seed) for seed in range(30)]
tested = np.array([scores for _, scores in draws])
thresholds = np.array([[tuner.threshold_ for tuner in tuners] for tuners, _ in draws])
in_sample = np.array([[tuner.in_sample_score_ for tuner in tuners] for tuners, _ in draws])
for place, estimate in enumerate(estimates):
    low, high = np.quantile(thresholds[:, place], [0.1, 0.9])
    print(
        f"{estimate:>9}: 80% of the thresholds from {low:.2f} to {high:.2f}, F1 {in_sample[:, place].mean():.3f} "
        f"in-sample, {tested[:, place].mean():.3f} on test samples"
    )
better, worse = (tested[:, 1] > tested[:, 0]).sum(), (tested[:, 1] < tested[:, 0]).sum()
print(f"robust is better on the test samples of {better} draws, and worse on those of {worse}")

# %%
# The robust threshold varies less. On average, this gains a little on test samples; in a single draw it may gain
# nothing or lose. The in-sample score of the in-sample optimum is optimistic.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, values, name in zip(axes, (thresholds, tested), ("threshold", "F1 on test samples"), strict=True):
    ax.plot(estimates, values.T, color="0.8", linewidth=0.8)
    for place in range(2):
        ax.scatter(np.full(30, place), values[:, place], color=f"C{place}", alpha=0.6, zorder=2)
        ax.hlines(values[:, place].mean(), place - 0.15, place + 0.15, color="black", zorder=3)
    ax.set(title=f"{name}, by draw", xlim=(-0.5, 1.5))
plt.show()

# %%
# Intervals from one draw
# -----------------------
#
# In practice there is only one draw. ``offsets_interval_`` is a confidence interval of each offset, and
# ``score_interval_`` a prediction interval of the score on as many unseen samples.

from skimbalance.plotting import OffsetIntervalDisplay

(_, robust), (_, test_score) = draws[0]
low, high = robust.score_interval_
print(f"expected F1: {robust.score_:.3f}, from {low:.3f} to {high:.3f}; on test samples of this draw: {test_score:.3f}")
OffsetIntervalDisplay.from_estimator(robust)
plt.show()
