"""
Classes become more frequent, and nobody labels the new rows
============================================================

A model and its offsets come from long-tailed digits. Where they are used the tail turns around, step by step. Nobody
says how frequent each digit is there; ``adapt_to`` estimates it from the rows that are to be predicted, without their
labels, and fits the offsets to that.
"""

# %%
# One model, five deployments
# ---------------------------
#
# At step 0 digits are as frequent as in training, at step 1 the rarest has become the most frequent. Each deployment
# brings 600 rows, drawn with replacement from rows that neither the model nor the offsets have seen. ``retune`` with
# ``class_prior`` shows what knowing the shares would be worth.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning, UncertainShiftWarning

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten rows
warnings.simplefilter("ignore", UncertainShiftWarning)  # said below where it happens
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros to train on, 7 nines
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
tail = np.bincount(y) / len(y)
model = RandomForestClassifier(random_state=0)
tuned = TunedOffsetClassifierCV(model, objective="accuracy", store_cv_results=True).fit(X, y)


def deployment(step, n_rows=600):
    """Draw rows whose shares of the classes lie between the tail and the tail turned around."""
    prior = tail ** (1 - step) * tail[::-1] ** step
    share = (prior / prior.sum() / np.bincount(y_test))[y_test]
    rows = np.random.default_rng(0).choice(len(y_test), n_rows, p=share / share.sum())
    return X_test[rows], y_test[rows], prior / prior.sum()


steps = np.linspace(0, 1, 5)
accuracies = {"unadapted": [], "adapted, without labels": [], "told the shares": []}
for step in steps:
    X_new, y_new, prior = deployment(step)
    adapted = tuned.adapt_to(X_new)
    ways = (tuned, adapted, tuned.retune(class_prior=prior))
    for values, fitted in zip(accuracies.values(), ways, strict=True):
        values.append(accuracy_score(y_new, fitted.predict(X_new)))
    moved = "left alone" if adapted.class_prior is None else "adapted"
    print(f"step {step:.2f}: {moved}, " + ", ".join(f"{way} {values[-1]:.3f}" for way, values in accuracies.items()))

# %%
# What was estimated, and what it was worth
# -----------------------------------------
#
# Left the last deployment: the shares that were estimated, with their intervals, beside the true ones and those of the
# training. Where nothing has shifted, ``adapt_to`` warns that it cannot tell a shift from chance, and changes nothing.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
shift, digits = adapted.tuner_.prior_shift_, np.arange(10)
error = np.abs(shift.interval - shift.estimated)
left.plot(digits, shift.before, "o", color="0.6", label="training")
left.plot(digits, prior, "_", color="C1", markersize=16, markeredgewidth=2, label="deployment")
left.errorbar(digits, shift.estimated, yerr=error, fmt="D", color="C0", capsize=3, label="estimated, 90% interval")
left.set(xlabel="digit", ylabel="share of the rows", xticks=digits, ylim=(0, None))
left.legend()
for (way, values), marker in zip(accuracies.items(), "osD", strict=True):
    right.plot(steps, values, marker=marker, label=way)
right.set(xlabel="how far the tail has turned around", ylabel="accuracy on the rows of the deployment")
right.legend()
plt.show()
