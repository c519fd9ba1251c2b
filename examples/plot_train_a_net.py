"""
Train a net for macro-F1
========================

The best epoch of a training depends on the metric and on the offsets. The callback ``TunedOffsetCheckpoint`` fits
offsets after each epoch. It keeps the epoch that is best after adjustment, and its offsets, which are then folded into
the last layer. The example also shows a case without a gain. It needs skorch and torch.
"""

# %%
# The net
# -------
#
# The data are long-tailed digits, from 100 samples of the zero to 12 of the nine; a fourth is for validation. After
# each epoch the callback writes the validation metric to the history: without offsets, and with cross-fitted offsets.

import warnings

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from skorch.dataset import ValidSplit

from skimbalance.callbacks import TunedOffsetCheckpoint
from skimbalance.exceptions import FewRowsWarning
from skimbalance.nn import fold_offsets, net_logits

warnings.simplefilter("ignore", FewRowsWarning)  # the nine has three validation samples
torch.set_num_threads(1)  # several threads do not help for a small net

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
sizes = [round(100 * (12 / 100) ** (digit / 9)) for digit in range(10)]  # 100 zeros and 12 nines for training
rng = np.random.default_rng(0)
kept = np.concatenate([rng.permutation(np.flatnonzero(y == digit))[: sizes[digit]] for digit in range(10)])
X, y = X[kept], y[kept]
X, X_test = (pixels.astype(np.float32) / 16 for pixels in (X, X_test))


def make_module():
    """Return a net with one hidden layer."""
    return torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))


def train(max_epochs, callbacks=None):
    """Return a net trained with the same seed and batches."""
    torch.manual_seed(0)
    return NeuralNetClassifier(
        make_module,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.003,
        max_epochs=max_epochs,
        batch_size=32,
        iterator_train__shuffle=True,
        train_split=ValidSplit(4, stratified=True),
        callbacks=callbacks,
        verbose=0,
    ).fit(X, y)


# %%
# A short and a long training
# ---------------------------
#
# The offsets are added to the bias of the last layer, so that the argmax of the exported net gives the tuned decisions.
# Without the callback, the net has the parameters of the last epoch. All digits are equally frequent in the test
# samples. Weights give them the class priors of the training samples, which the offsets are tuned for.

weights = (np.bincount(y) / np.bincount(y_test))[y_test]


def macro_f1(net):
    """Return the macro-F1 of the net's decisions on test samples."""
    return f1_score(y_test, net.predict(X_test), average="macro", sample_weight=weights)


nets = {}
for max_epochs in (10, 40):
    plain = train(max_epochs)
    net = train(max_epochs, callbacks=[("best", TunedOffsetCheckpoint("f1_macro"))])
    nets[max_epochs], best = net, dict(net.callbacks_)["best"]
    folded = fold_offsets(net, best.offsets_)
    print(
        f"{max_epochs} epochs: macro-F1 on test samples {macro_f1(plain):.3f} after the last epoch, "
        f"{macro_f1(folded):.3f} with the offsets of epoch {best.best_epoch_}"
    )
same = folded.predict(X_test) == best.tuner_.predict(net_logits(net, X_test).numpy())
print(f"folded into the last layer: {same.mean():.0%} of the decisions agree")

# %%
# Epoch by epoch
# --------------
#
# In early epochs the net ranks the samples well, but rarely predicts minority classes: there offsets gain most. After
# longer training the net also predicts the minority classes, and offsets gain nothing: **when not to tune**. The curves
# then differ by the noise of a few validation samples.

import matplotlib.pyplot as plt

from skimbalance.plotting import TrainingCurveDisplay

figure, axes = plt.subplots(2, 1, figsize=(8, 7), layout="constrained")
titles = {10: "10 epochs: offsets gain", 40: "40 epochs: when not to tune"}
for ax, (max_epochs, title) in zip(axes, titles.items(), strict=True):
    TrainingCurveDisplay.from_estimator(nets[max_epochs], ax=ax)
    ax.set_title(title)
plt.show()
