"""
Unknown class priors in deployment
==================================

A model and its offsets are fitted on long-tailed digits. In deployment, the tail is reversed step by step, and the
class priors are unknown. ``adapt_to`` estimates them from the unlabelled samples to be predicted, and fits offsets for
them.
"""

# %%
# One model, five deployments
# ---------------------------
#
# At step 0 the class priors are those of training, at step 1 the rarest digit is the most frequent one. Each deployment
# has 600 samples, drawn with replacement from unseen samples. ``retune`` with ``class_prior`` shows the gain if the
# priors are given.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning, UncertainShiftWarning

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten samples
warnings.simplefilter("ignore", UncertainShiftWarning)  # reported below as "not adapted"
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 7 nines for training
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
tail = np.bincount(y) / len(y)
model = RandomForestClassifier(random_state=0)
tuned = TunedOffsetClassifierCV(model, objective="accuracy", store_cv_results=True).fit(X, y)


def deployment(step, n_samples=600):
    """Draw samples whose class priors are between the tail and the reversed tail."""
    prior = tail ** (1 - step) * tail[::-1] ** step
    p = (prior / prior.sum() / np.bincount(y_test))[y_test]
    drawn = np.random.default_rng(0).choice(len(y_test), n_samples, p=p / p.sum())
    return X_test[drawn], y_test[drawn], prior / prior.sum()


steps = np.linspace(0, 1, 5)
accuracies = {"unadapted": [], "adapted, without labels": [], "given the priors": []}
for step in steps:
    X_new, y_new, prior = deployment(step)
    adapted = tuned.adapt_to(X_new)
    ways = (tuned, adapted, tuned.retune(class_prior=prior))
    for values, fitted in zip(accuracies.values(), ways, strict=True):
        values.append(accuracy_score(y_new, fitted.predict(X_new)))
    outcome = "not adapted" if adapted.class_prior is None else "adapted"
    print(f"step {step:.2f}: {outcome}, " + ", ".join(f"{way} {values[-1]:.3f}" for way, values in accuracies.items()))

# %%
# Estimated priors and accuracy
# -----------------------------
#
# Left: estimated priors of the last deployment with intervals, true priors, and priors of the training samples. Right:
# accuracy. Without a significant shift, ``adapt_to`` issues a warning and keeps the offsets.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
shift, digits = adapted.tuner_.prior_shift_, np.arange(10)
error = np.abs(shift.interval - shift.estimated)
left.plot(digits, shift.before, "o", color="0.6", label="training")
left.plot(digits, prior, "_", color="C1", markersize=16, markeredgewidth=2, label="deployment")
left.errorbar(digits, shift.estimated, yerr=error, fmt="D", color="C0", capsize=3, label="estimated, 90% interval")
left.set(xlabel="digit", ylabel="class prior", xticks=digits, ylim=(0, None))
left.legend()
for (way, values), marker in zip(accuracies.items(), "osD", strict=True):
    right.plot(steps, values, marker=marker, label=way)
right.set(xlabel="step from the tail to the reversed tail", ylabel="accuracy in deployment")
right.legend()
plt.show()
