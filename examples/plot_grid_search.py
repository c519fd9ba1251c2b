"""
Grid search over offsets and objectives
=======================================

Offsets have hyperparameters, and ``GridSearchCV`` searches them together with those of the classifier. The first part
searches ``tau`` of the closed form ``-tau log prior``. The second part searches the objective of tuned offsets, and
shows the loss in one score if the classifier is tuned for another.
"""

# %%
# tau and the regularisation
# --------------------------
#
# ``tau=0`` adds no offsets, ``tau=1`` corrects for the class priors. The best ``C`` depends on ``tau``.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, fbeta_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.metrics import FBeta

X, digits = load_digits(return_X_y=True)
y = np.where(digits == 1, "fraud", "clean")
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
halves = []
for X_half, y_half in ((X, y), (X_test, y_test)):
    rng = np.random.default_rng(0)
    clean, frauds = (rng.permutation(np.flatnonzero(y_half == label)) for label in ("clean", "fraud"))
    kept = np.concatenate([clean, frauds[:60]])
    halves += [X_half[kept], y_half[kept]]
X, y, X_test, y_test = halves
y, y_test = (y == "fraud").astype(int), (y_test == "fraud").astype(int)  # as scikit-learn's scorers require
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
folds = StratifiedKFold(shuffle=True, random_state=0)

taus = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
inverse_penalties = [0.001, 0.01, 0.1]
grid = {"estimator__logisticregression__C": inverse_penalties, "tau": taus}
closed = GridSearchCV(FixedOffsetClassifier(model), grid, scoring="f1", cv=folds).fit(X, y)
print(f"best: {closed.best_params_}")
print(f"F1 {closed.best_score_:.3f} in the folds, {closed.score(X_test, y_test):.3f} on test samples")

# %%
# With strong regularisation, predictions are close to the class priors, and ``tau`` corrects this. With the largest
# ``C``, ``tau`` gains nothing for F1, and ``tau=1``, which balances recalls, lowers it.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(layout="constrained")
scores = closed.cv_results_["mean_test_score"].reshape(len(inverse_penalties), len(taus))
for C, line, marker in zip(inverse_penalties, scores, "osD", strict=True):
    ax.plot(taus, line, marker=marker, label=f"C = {C:g}")
ax.set(xlabel="tau", ylabel="F1, mean of five folds")
ax.legend()
plt.show()

# %%
# The objective
# -------------
#
# The objective of tuned offsets is a parameter too. Four scores evaluate each of four objectives, on folds that neither
# the model nor the offsets were fitted on.

goals = {"accuracy": "accuracy", "F1": "f1", "F2": FBeta(2.0), "balanced accuracy": "balanced_accuracy"}
judges = {
    "accuracy": "accuracy",
    "F1": "f1",
    "F2": make_scorer(fbeta_score, beta=2),
    "balanced accuracy": "balanced_accuracy",
}
model.set_params(logisticregression__C=0.1)
tuned = TunedOffsetClassifierCV(model)
search = GridSearchCV(tuned, {"objective": list(goals.values())}, scoring=judges, refit="F1", cv=folds).fit(X, y)
print(f"best by F1: {search.best_params_}, F1 {f1_score(y_test, search.predict(X_test)):.3f} on test samples")

# %%
# Similar objectives, such as accuracy and F1, give similar scores. The weight of recall increases from left to right
# and from top to bottom. Scores are lower if objective and score are far apart.

table = np.array([search.cv_results_[f"mean_test_{name}"] for name in judges]).T
lost = table.max(axis=0) - table

figure, ax = plt.subplots(layout="constrained")
image = ax.imshow(lost, cmap="Blues", vmin=0, aspect="auto")
for (row, column), value in np.ndenumerate(table):
    dark = lost[row, column] > lost.max() / 2
    ax.text(column, row, f"{value:.3f}", ha="center", va="center", color="white" if dark else "black")
names = [name.replace(" ", "\n") for name in goals]
ax.set(xlabel="score", ylabel="tuned for", xticks=range(4), yticks=range(4), xticklabels=names, yticklabels=names)
figure.colorbar(image, label="loss against the best objective")
plt.show()
