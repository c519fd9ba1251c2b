"""
LightGBM in a pipeline
======================

Any classifier with probabilities can be tuned, also at the end of a pipeline: here PCA and LightGBM. The example
compares offsets for the geometric mean of the recalls with ``class_weight="balanced"``, and shows the confusion
matrices. It needs LightGBM.
"""

# %%
# The model
# ---------
#
# In each fold, PCA and trees are fitted on the same training samples.

import warnings

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skimbalance import TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning
from skimbalance.metrics import geometric_mean_score

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten samples
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 7 nines for training
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]


def make_model(**parameters):
    """Return a pipeline of PCA and small trees."""
    trees = LGBMClassifier(
        n_estimators=50, num_leaves=7, min_child_samples=5, random_state=0, n_jobs=1, verbose=-1, **parameters
    )
    return make_pipeline(PCA(20, random_state=0), trees)


# %%
# Weights, offsets, or both
# -------------------------
#
# ``class_weight="balanced"`` weights samples during training. Offsets do not change the trees and optimise the metric
# itself. Weights and offsets can be combined.

models = {
    "plain": make_model(),
    "class_weight": make_model(class_weight="balanced"),
    "offsets": TunedOffsetClassifierCV(make_model(), objective="geometric_mean"),
    "both": TunedOffsetClassifierCV(make_model(class_weight="balanced"), objective="geometric_mean"),
}
predicted = {name: model.fit(X, y).predict(X_test) for name, model in models.items()}
for name, decisions in predicted.items():
    print(f"{name:>12}: geometric mean of the recalls {geometric_mean_score(y_test, decisions):.3f} on test samples")

# %%
# Confusion matrices
# ------------------
#
# Each row sums to one, so that the diagonal holds the recalls. Without offsets, the rarest digits, eight and nine, are
# mostly predicted as other digits.

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
for ax, name in zip(axes, ("plain", "offsets"), strict=True):
    display = ConfusionMatrixDisplay.from_predictions(
        y_test, predicted[name], normalize="true", include_values=False, cmap="Blues", colorbar=False, ax=ax
    )
    display.im_.set_clim(0, 1)
    ax.set_title(f"{name}: geometric mean {geometric_mean_score(y_test, predicted[name]):.2f}")
axes[1].set_ylabel("")
figure.colorbar(display.im_, ax=axes, shrink=0.8, label="proportion of the true digit")
plt.show()
