"""
Another class prior in deployment
=================================

A model is trained on long-tailed digits. There are three deployments: the same tail (forward), equally frequent digits
(uniform), and the reversed tail (backward). ``class_prior`` sets the class priors of the deployment, and the tuner
optimises the objective for these priors.
"""

# %%
# Three deployments of one model
# ------------------------------
#
# The forest is fitted once for each of five splits. ``retune`` fits offsets for each prior on the stored out-of-fold
# probabilities. ``FixedOffsetClassifier(target_prior=...)`` uses the closed form ``log target_prior - log prior``,
# without a search. Weights give the test samples the class priors of the deployment.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten samples
images, digits = load_digits(return_X_y=True)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 7 nines for training
tail = np.array(sizes) / sum(sizes)
priors = {"forward": tail, "uniform": np.full(10, 0.1), "backward": tail[::-1]}
ways = ["no offsets", "closed form", "tuned as trained", "tuned for the prior"]
model = RandomForestClassifier(50, random_state=0)


def compare(seed):
    """Return the accuracy of each way under each prior, for one random split."""
    X, X_test, y, y_test = train_test_split(images, digits, test_size=0.4, stratify=digits, random_state=seed)
    rng = np.random.default_rng(seed)
    kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
    X, y = X[kept], y[kept]
    tuned = TunedOffsetClassifierCV(model, objective="accuracy", store_cv_results=True).fit(X, y)
    table = []
    for prior in priors.values():
        closed = FixedOffsetClassifier(model, target_prior=prior).fit(X, y)
        fitted = (tuned.estimator_, closed, tuned, tuned.retune(class_prior=prior))
        weights = (prior / np.bincount(y_test))[y_test]
        table.append([accuracy_score(y_test, clf.predict(X_test), sample_weight=weights) for clf in fitted])
    return table


accuracies = np.mean([compare(seed) for seed in range(5)], axis=0)
for name, means in zip(priors, accuracies, strict=True):
    print(f"{name:>8}: " + ", ".join(f"{way} {mean:.3f}" for way, mean in zip(ways, means, strict=True)))

# %%
# Gain of a known prior
# ---------------------
#
# The gain increases with the difference between the priors of training and deployment. The closed form assumes
# calibrated probabilities; tuned offsets also correct calibration errors.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(layout="constrained")
for way, values, marker in zip(ways, accuracies.T, "osD^", strict=True):
    ax.plot(list(priors), values, marker=marker, label=way)
ax.set(xlabel="class prior of the deployment", ylabel="test accuracy, mean of five splits", ylim=(None, 1))
ax.margins(x=0.1)
ax.legend()
plt.show()
