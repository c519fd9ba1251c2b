"""
Other objectives for a fitted model
===================================

Requirements can change after training: a higher recall of nines, or decisions without a preference for majority
classes. ``retune`` fits offsets for another objective without training the model again. The objective may be a metric,
a custom function or an imbalance state, with or without constraints.
"""

# %%
# Fit once
# --------
#
# ``store_cv_results=True`` stores the out-of-fold scores, which offsets are fitted on.

import warnings
from time import perf_counter

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning
from skimbalance.goals import AtLeast, ImbalanceState, Near
from skimbalance.metrics import imbalance_degree_score, imbalance_state
from skimbalance.solvers import Search

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten samples
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 7 nines for training
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
begin = perf_counter()
forest = RandomForestClassifier(random_state=0)
fitted = TunedOffsetClassifierCV(forest, objective="accuracy", store_cv_results=True).fit(X, y)
print(f"fitted in {perf_counter() - begin:.2f} s")

# %%
# A custom metric
# ---------------
#
# Any function of true and predicted labels is a valid objective. It is a black-box metric, which SciPy optimises.
# ``Search`` sets the budget of evaluations and a callback for progress; a true return value stops the search.
# ``retune`` accepts such metrics too.


def harmonic_recall(y_true, y_pred, *, sample_weight=None):
    """Return the harmonic mean of the recalls of all classes, zero if a class has no true positives."""
    recalls = recall_score(y_true, y_pred, average=None, sample_weight=sample_weight, zero_division=0)
    return 0.0 if recalls.min() == 0 else len(recalls) / (1 / recalls).sum()


def progress(n_evaluations, best):
    """Print the best value so far."""
    if n_evaluations % 100 == 0:
        print(f"{n_evaluations} evaluations: {best:.3f} on soft labels")


brief = Search(budget=500, callback=progress)
searched = TunedOffsetClassifierCV(forest, objective=harmonic_recall, solver=brief).fit(X, y)

# %%
# Several objectives
# ------------------
#
# The imbalance degree is positive if decisions favour majority classes, and negative if they favour minority classes.
# ``Near`` bounds the degree. An imbalance state is the mean predicted distribution. For ``"uniform"`` with balanced
# classes, each digit has a mean probability of one tenth.

goals = {
    "accuracy": {},
    "balanced accuracy": {"objective": "balanced_accuracy"},
    "macro-F1": {"objective": "f1_macro"},
    "accuracy,\nrecall of 9 at least 0.8": {"constraints": [AtLeast("recall", 0.8, label=9)]},
    "accuracy,\ndegree near 0.05": {"constraints": [Near("imbalance_degree", 0.05)]},
    "uniform state": {"objective": ImbalanceState("uniform", class_balanced=True)},
}
begin = perf_counter()
tuned = {name: fitted.retune(**goal) for name, goal in goals.items()}
print(f"{len(goals)} objectives in {perf_counter() - begin:.2f} s")

recalls = {}
for name, clf in {"no offsets": fitted.estimator_, **tuned, "harmonic mean\nof the recalls": searched}.items():
    predicted = clf.predict(X_test)
    recalls[name] = recall_score(y_test, predicted, average=None)
    degree = imbalance_degree_score(y_test, predicted, prior=np.bincount(y))
    nine = imbalance_state(clf.predict_proba(X_test))[9]
    print(
        f"{name.replace(chr(10), ' '):>34}: accuracy {np.mean(predicted == y_test):.3f}, degree {degree:+.3f}, "
        f"harmonic recall {harmonic_recall(y_test, predicted):.3f}, mean probability of 9 {nine:.3f}"
    )

# %%
# Recall of each digit
# --------------------
#
# The figure shows recalls on test samples, from the most frequent digit to the rarest. Objectives with a higher recall
# of eights and nines have a lower recall of digits such as three and five. An objective is not always best in its own
# metric on test samples: there are only sixteen tuning samples of eights and nines.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
table = np.array(list(recalls.values()))
image = ax.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
for (row, digit), value in np.ndenumerate(table):
    ax.text(digit, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black", fontsize=8)
ax.set(xlabel="digit", xticks=range(10), yticks=range(len(recalls)), yticklabels=recalls)
figure.colorbar(image, label="recall on test samples")
plt.show()
