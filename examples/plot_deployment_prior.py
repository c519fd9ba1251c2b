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
# The forest is fitted once. ``retune`` fits offsets for each prior on the stored out-of-fold probabilities.
# ``FixedOffsetClassifier(target_prior=...)`` uses the closed form ``log target_prior - log prior``, without a search.
# Test samples are drawn with replacement, with the class priors of the deployment.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten samples
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 7 nines for training
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
tail = np.bincount(y) / len(y)
priors = {"forward": tail, "uniform": np.full(10, 0.1), "backward": tail[::-1]}


def resampled(prior, n_samples=5000):
    """Draw test samples with this class prior."""
    p = (prior / np.bincount(y_test))[y_test]
    drawn = np.random.default_rng(0).choice(len(y_test), n_samples, p=p)
    return X_test[drawn], y_test[drawn]


model = RandomForestClassifier(random_state=0)
tuned = TunedOffsetClassifierCV(model, objective="accuracy", store_cv_results=True).fit(X, y)
accuracies = {}
for name, prior in priors.items():
    X_new, y_new = resampled(prior)
    ways = {
        "no offsets": tuned.estimator_,
        "closed form": FixedOffsetClassifier(model, target_prior=prior).fit(X, y),
        "tuned as trained": tuned,
        "tuned for the prior": tuned.retune(class_prior=prior),
    }
    accuracies[name] = {way: accuracy_score(y_new, fitted.predict(X_new)) for way, fitted in ways.items()}
    print(f"{name:>8}: " + ", ".join(f"{way} {accuracy:.3f}" for way, accuracy in accuracies[name].items()))

# %%
# Gain of a known prior
# ---------------------
#
# The gain increases with the difference between the priors of training and deployment. The closed form assumes
# calibrated probabilities; tuned offsets also correct calibration errors.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(layout="constrained")
for place, (way, marker) in enumerate(zip(accuracies["forward"], "osD^", strict=True)):
    values = [accuracies[name][way] for name in priors]
    ax.plot(list(priors), values, marker=marker, color=f"C{place}", label=way)
ax.set(xlabel="class prior of the deployment", ylabel="accuracy on test samples", ylim=(None, 1))
ax.margins(x=0.1)
ax.legend()
plt.show()
