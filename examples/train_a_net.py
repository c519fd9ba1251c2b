"""Train a net: keep the epoch that is best after adjustment, and fold the offsets into the last layer.

Run it with ``python examples/train_a_net.py``; it needs skorch and torch.
"""

import warnings

import numpy as np
import torch
from data import long_tailed_digits
from sklearn.metrics import f1_score
from skorch import NeuralNetClassifier
from skorch.dataset import ValidSplit

from skimbalance.callbacks import TunedOffsetCheckpoint
from skimbalance.exceptions import FewRowsWarning
from skimbalance.nn import fold_offsets, net_logits


def main():
    """Print macro-F1 epoch by epoch, and what the best epoch reaches on test rows."""
    warnings.simplefilter("ignore", FewRowsWarning)  # of the nine there are two validation rows
    torch.manual_seed(0)
    torch.set_num_threads(1)  # of a net as small as this, several threads only wait for each other
    X, y, X_test, y_test = long_tailed_digits()
    X, X_test = (pixels.astype(np.float32) / 16 for pixels in (X, X_test))
    net = NeuralNetClassifier(
        lambda: torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.003,
        max_epochs=30,
        batch_size=32,
        iterator_train__shuffle=True,
        train_split=ValidSplit(4, stratified=True),
        callbacks=[("best", TunedOffsetCheckpoint("f1_macro"))],
        verbose=0,
    ).fit(X, y)
    for row in net.history[4::5]:
        untuned, tuned = row["valid_f1_macro_untuned"], row["valid_f1_macro_tuned"]
        print(f"epoch {row['epoch']:2}: validation macro-F1 {untuned:.3f} untuned, {tuned:.3f} tuned, held out")
    best = dict(net.callbacks_)["best"]
    print(f"The net is that of epoch {best.best_epoch_} again.")
    tuned = best.tuner_.predict(net_logits(net, X_test).numpy())
    folded = fold_offsets(net, best.offsets_).predict(X_test)
    print(f"untuned, on test rows: {f1_score(y_test, net.predict(X_test), average='macro'):.3f}")
    print(f"tuned, on test rows:   {f1_score(y_test, tuned, average='macro'):.3f}")
    print(f"folded into the last layer: {np.mean(folded == tuned):.0%} the same decisions")


if __name__ == "__main__":
    main()
