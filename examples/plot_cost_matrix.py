"""
Cost matrix and the closed-form threshold
=========================================

A false negative, a malignant tumour predicted as benign, costs ten times as much as a false positive. If probabilities
are calibrated, decision theory gives the best threshold without tuning. The example compares it with offsets tuned for
``Cost(matrix)``, for a calibrated model and for a miscalibrated one.
"""

# %%
# The costs
# ---------
#
# Rows are true classes, columns are decisions. The optimal threshold on the probability of malignant is 1 / 11.

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import TunedOffsetClassifierCV
from skimbalance.metrics import Cost

COSTS = np.array([[0, 1], [10, 0]])  # benign, malignant
data = load_breast_cancer()
X, y = data.data, data.target_names[data.target]
models = {"logistic regression": make_pipeline(StandardScaler(), LogisticRegression()), "naive Bayes": GaussianNB()}
rules = ["1/2", "1/11", "tuned"]


def mean_cost(y_true, y_pred):
    """Return the mean cost of the decisions."""
    return (confusion_matrix(y_true, y_pred, normalize="all") * COSTS).sum()


def compare(model, seed):
    """Return the cost on test samples under each of the rules, for one random split."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=seed)
    malignant = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    tuned = TunedOffsetClassifierCV(model, objective=Cost(COSTS)).fit(X_train, y_train)
    decisions = [np.where(malignant > threshold, "malignant", "benign") for threshold in (1 / 2, 1 / 11)]
    return [mean_cost(y_test, decided) for decided in (*decisions, tuned.predict(X_test))]


# %%
# Twenty splits
# -------------
#
# The cost depends on a few false negatives, so that a single split is uncertain.

costs = {name: np.array([compare(model, seed) for seed in range(20)]) for name, model in models.items()}
for name, table in costs.items():
    print(
        f"{name:>20}: " + ", ".join(f"{rule} {mean:.3f}" for rule, mean in zip(rules, table.mean(axis=0), strict=True))
    )

# %%
# The figure
# ----------
#
# Left, **when not to tune**: the logistic regression is calibrated and the costs are known. The closed form has the
# lowest mean cost, since it fits nothing to few samples. Right: naive Bayes treats dependent features as independent
# and is overconfident. Its decisions at 1 / 11 and at 1 / 2 are similar, and the tuned threshold reduces the cost.

import matplotlib.pyplot as plt

titles = {"logistic regression": "calibrated: when not to tune", "naive Bayes": "miscalibrated: tune"}
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
for ax, (name, table) in zip(axes, costs.items(), strict=True):
    ax.plot(rules, table.T, color="0.75", linewidth=0.8)
    ax.plot(rules, table.mean(axis=0), color="C0", marker="o", linewidth=2, label="mean of 20 splits")
    ax.set(title=f"{name}\n({titles[name]})", xlabel="threshold")
axes[0].set(ylabel="mean cost on test samples", ylim=(0, None))
axes[0].legend()
plt.show()
