"""
The classes will be as frequent as elsewhere
============================================

A model is trained on long-tailed digits, and deployed where the tail is the same (forward), where all digits are
equally frequent (uniform), and where the tail is turned around (backward). ``class_prior`` tells the tuner the shares
of the classes among the rows to be predicted; it then optimises what the objective will be there.
"""

# %%
# Three deployments of one model
# ------------------------------
#
# The forest is fitted once; ``retune`` fits offsets for each prior on the stored out-of-fold probabilities.
# ``FixedOffsetClassifier(target_prior=...)`` is the closed form ``log target_prior - log prior``, without a search.
# Test rows are drawn, with replacement, with the shares of the deployment.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten rows
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros to train on, 7 nines
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
tail = np.bincount(y) / len(y)
priors = {"forward": tail, "uniform": np.full(10, 0.1), "backward": tail[::-1]}


def resampled(prior, n_rows=5000):
    """Draw test rows with these shares of the classes."""
    share = (prior / np.bincount(y_test))[y_test]
    rows = np.random.default_rng(0).choice(len(y_test), n_rows, p=share)
    return X_test[rows], y_test[rows]


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
# What it is worth to know the prior
# ----------------------------------
#
# The further the deployment is from the rows to train on, the more there is to gain. The closed form takes the
# forest's probabilities at their word; tuned offsets make up for their errors as well.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(layout="constrained")
for place, (way, marker) in enumerate(zip(accuracies["forward"], "osD^", strict=True)):
    values = [accuracies[name][way] for name in priors]
    ax.plot(list(priors), values, marker=marker, color=f"C{place}", label=way)
ax.set(xlabel="prior of the rows to be predicted", ylabel="accuracy on test rows", ylim=(None, 1))
ax.margins(x=0.1)
ax.legend()
plt.show()
