"""
A cost matrix, and when the closed form does
============================================

A malignant tumour called benign costs ten times as much as a false alarm. If probabilities are calibrated, decision
theory gives the best threshold without any tuning. The example compares it with offsets tuned for ``Cost(matrix)``, for
a model whose probabilities can be trusted and for one whose cannot.
"""

# %%
# The costs
# ---------
#
# Rows by truth, columns by decision. To call a tumour malignant pays off as soon as its probability exceeds 1 / 11.

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


def cost_a_row(y_true, y_pred):
    """Return what the decisions cost on average."""
    return (confusion_matrix(y_true, y_pred, normalize="all") * COSTS).sum()


def compare(model, seed):
    """Return the cost on test rows under each of the rules, for one random split."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=seed)
    malignant = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    tuned = TunedOffsetClassifierCV(model, objective=Cost(COSTS)).fit(X_train, y_train)
    decisions = [np.where(malignant > threshold, "malignant", "benign") for threshold in (1 / 2, 1 / 11)]
    return [cost_a_row(y_test, decided) for decided in (*decisions, tuned.predict(X_test))]


# %%
# Twenty splits
# -------------
#
# A few missed tumours decide the cost, so that a single split would tell little.

costs = {name: np.array([compare(model, seed) for seed in range(20)]) for name, model in models.items()}
for name, table in costs.items():
    print(
        f"{name:>20}: " + ", ".join(f"{rule} {mean:.3f}" for rule, mean in zip(rules, table.mean(axis=0), strict=True))
    )

# %%
# The picture
# -----------
#
# The probabilities of the logistic regression can be trusted: the closed form is the cheapest of the three in the
# mean, for it has nothing to learn from few rows, and tuning does not help. Naive Bayes counts the same evidence again
# and again and is far too sure: at 1 / 11 it decides much as at 1 / 2. There the tuned threshold is what helps.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
for ax, (name, table) in zip(axes, costs.items(), strict=True):
    ax.plot(rules, table.T, color="0.75", linewidth=0.8)
    ax.plot(rules, table.mean(axis=0), color="C0", marker="o", linewidth=2, label="mean of 20 splits")
    ax.set(title=name, xlabel="threshold")
axes[0].set(ylabel="cost of a test row", ylim=(0, None))
axes[0].legend()
plt.show()
