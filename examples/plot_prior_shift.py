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
# At step 0 the class priors are those of training, at step 1 the rarest digit is the most frequent one. ``adapt_to``
# gets 600 samples, drawn with replacement from unseen samples. ``retune`` with ``class_prior`` shows the gain if the
# priors are given. The accuracy is that of all unseen samples, with weights for the class priors, on average over three
# splits.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning, UncertainShiftWarning

warnings.simplefilter("ignore", FewRowsWarning)  # two digits have fewer than ten samples
warnings.simplefilter("ignore", UncertainShiftWarning)  # counted below
images, digits = load_digits(return_X_y=True)
sizes = [round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 7 nines for training
tail = np.array(sizes) / sum(sizes)
steps = np.linspace(0, 1, 5)
priors = [tail ** (1 - step) * tail[::-1] ** step for step in steps]
priors = [prior / prior.sum() for prior in priors]
ways = ["unadapted", "adapted, without labels", "given the priors"]
model = RandomForestClassifier(50, random_state=0)


def compare(seed):
    """Return the accuracy of each way at each step, and the adapted classifiers, for one random split."""
    X, X_test, y, y_test = train_test_split(images, digits, test_size=0.4, stratify=digits, random_state=seed)
    rng = np.random.default_rng(seed)
    kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
    tuned = TunedOffsetClassifierCV(model, objective="accuracy", store_cv_results=True).fit(X[kept], y[kept])
    table, adapted = [], []
    for prior in priors:
        weights = (prior / np.bincount(y_test))[y_test]
        drawn = rng.choice(len(y_test), 600, p=weights / weights.sum())
        adapted.append(tuned.adapt_to(X_test[drawn]))
        fitted = (tuned, adapted[-1], tuned.retune(class_prior=prior))
        table.append([accuracy_score(y_test, clf.predict(X_test), sample_weight=weights) for clf in fitted])
    return table, adapted


tables, adapted = zip(*(compare(seed) for seed in range(3)), strict=True)
accuracies = np.mean(tables, axis=0)
for place, (step, means) in enumerate(zip(steps, accuracies, strict=True)):
    number = sum(clfs[place].class_prior is not None for clfs in adapted)
    print(
        f"step {step:.2f}: adapted in {number} of 3 splits, accuracy "
        + ", ".join(f"{way} {mean:.3f}" for way, mean in zip(ways, means, strict=True))
    )

# %%
# Estimated priors and accuracy
# -----------------------------
#
# Left: estimated priors of the last deployment of the last split, true priors, and priors of the training samples. The
# intervals hold for all classes at once. Right: accuracy. Without a significant shift, ``adapt_to`` issues a warning
# and keeps the offsets.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
shift, places = adapted[-1][-1].tuner_.prior_shift_, np.arange(10)
error = np.abs(shift.joint_interval - shift.estimated)
left.plot(places, shift.before, "o", color="0.6", label="training")
left.plot(places, priors[-1], "_", color="C1", markersize=16, markeredgewidth=2, label="deployment")
left.errorbar(
    places, shift.estimated, yerr=error, fmt="D", color="C0", capsize=3, label="estimated, joint 90% intervals"
)
left.set(xlabel="digit", ylabel="class prior", xticks=places, ylim=(0, None))
left.legend()
for way, values, marker in zip(ways, accuracies.T, "osD", strict=True):
    right.plot(steps, values, marker=marker, label=way)
right.set(xlabel="step from the tail to the reversed tail", ylabel="accuracy, mean of three splits")
right.legend()
plt.show()
