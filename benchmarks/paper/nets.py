"""The nets of the paper's experiment: a small ConvNet with four ways to train it, and two to retrain its last layer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.paper.data import Setting, Split
from benchmarks.paper.weighting import AutoWeighting

__all__ = ["NETS", "Trained", "trained"]

BATCH = 64
RATE, HEAD_RATE = 1e-3, 1e-2
FEATURES = 64

NETS = {
    "baseline": "plain cross-entropy",
    "proportion": "weights by inverse frequency",
    "logit_adjusted": "logit-adjusted loss",
    "crt": "cRT",
    "lws": "LWS",
    "auto_weighting": "Auto-Weighting",
}

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of the logits, the classes and the numbers of the samples in a batch."""


class Tensors(NamedTuple):
    """What a net is trained and scored on; an epoch has each training sample `passes` times."""

    X: Tensor
    y: Tensor
    X_val: Tensor
    X_test: Tensor
    passes: int


@dataclass(frozen=True)
class Trained:
    """Logits (epochs, n, K) of the validation and test samples, processor seconds, and the last weights."""

    val: npt.NDArray[np.float32]
    test: npt.NDArray[np.float32]
    seconds: float
    weights: npt.NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Store in one file, completely or not at all."""
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, val=self.val, test=self.test, seconds=self.seconds, weights=self.weights)
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Trained":
        """Return the content of a file."""
        with np.load(path) as stored:
            return cls(stored["val"], stored["test"], float(stored["seconds"]), stored["weights"])


class ConvNet(nn.Sequential):
    """Two convolutions and a hidden layer, 105,000 weights: an epoch of 4,000 images takes about 0.2 seconds."""

    def __init__(self, n_classes: int, *, channels: int = 1, size: int = 28) -> None:
        body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * (size // 4) ** 2, FEATURES),
            nn.ReLU(),
        )
        super().__init__(body, nn.Linear(FEATURES, n_classes))


class Scaled(nn.Module):
    """A frozen last layer, and a learned factor for each class."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.scales = nn.Parameter(torch.ones(layer.out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return self.layer(x) * self.scales


def _plain(logits: Tensor, y: Tensor, _: Tensor) -> Tensor:
    return cross_entropy(logits, y)


def losses(setting: Setting) -> dict[str, Loss]:
    """Return the losses of the nets that are trained as a whole."""
    prior = torch.tensor(setting.prior, dtype=torch.float32)
    weight = 1 / (setting.n_classes * prior)

    def proportion(logits: Tensor, y: Tensor, _: Tensor) -> Tensor:
        # cross_entropy divides by the weights of the batch; most batches have no sample of the minority class.
        return (weight[y] * cross_entropy(logits, y, reduction="none")).mean()

    return {
        "baseline": _plain,
        "proportion": proportion,
        "logit_adjusted": lambda logits, y, _: cross_entropy(logits + prior.log(), y),
    }


def trained(net: str, split: Split, setting: Setting, *, seed: int, epochs: int, baseline: Trained | None) -> Trained:
    """Train a net; cRT and LWS start from the baseline. The nets of a seed share initial weights and batches."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    _, channels, size, _ = split.X.shape
    model = ConvNet(setting.n_classes, channels=channels, size=size)
    data = Tensors(*(torch.from_numpy(part) for part in (split.X, split.y, split.X_val, split.X_test)), setting.passes)
    if net in ("crt", "lws"):
        assert baseline is not None
        nn.utils.vector_to_parameters(torch.from_numpy(baseline.weights), model.parameters())
        head = _head_retrained(net, model, data, epochs=epochs)
        return replace(head, seconds=baseline.seconds + head.seconds)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    if net != "auto_weighting":
        return _loop(model, data, losses(setting)[net], optimiser, epochs=epochs)
    val = data.X_val, torch.from_numpy(split.y_val)
    weights = AutoWeighting(model, optimiser, (data.X, data.y), val, seed=seed, n_drawn=BATCH)

    def weighted(logits: Tensor, y: Tensor, batch: Tensor) -> Tensor:
        losses = cross_entropy(logits, y, reduction="none")
        return weights(losses, batch) @ losses

    return _loop(model, data, weighted, optimiser, epochs=epochs)


def _head_retrained(net: str, model: ConvNet, data: Tensors, *, epochs: int) -> Trained:
    """Train a new last layer, or scales, on frozen features and class-balanced batches."""
    body, layer = model
    features = (_in_parts(body, part) for part in (data.X, data.X_val, data.X_test))
    X, X_val, X_test = features
    head = nn.Linear(FEATURES, layer.out_features) if net == "crt" else Scaled(layer)
    optimiser = torch.optim.Adam([p for p in head.parameters() if p.requires_grad], HEAD_RATE)
    balanced = (1 / torch.bincount(data.y))[data.y]
    frozen = Tensors(X, data.y, X_val, X_test, data.passes)
    return _loop(head, frozen, _plain, optimiser, epochs=epochs, draw=balanced)


def _loop(
    model: nn.Module,
    data: Tensors,
    loss: Loss,
    optimiser: torch.optim.Optimizer,
    *,
    epochs: int,
    draw: Tensor | None = None,
) -> Trained:
    """Train and keep the logits of each epoch; if samples are drawn by weight, the learning rate falls to zero."""
    val, test, seconds = [], [], 0.0
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        begin = process_time()
        for batch in _order(len(data.y), data.passes, draw).split(BATCH):
            optimiser.zero_grad()
            loss(model(data.X[batch]), data.y[batch], batch).backward()
            optimiser.step()
        if draw is not None:
            schedule.step()
        seconds += process_time() - begin
        val.append(_in_parts(model, data.X_val).numpy())
        test.append(_in_parts(model, data.X_test).numpy())
    weights = nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
    return Trained(np.stack(val), np.stack(test), seconds, weights)


def _order(n: int, passes: int, draw: Tensor | None) -> Tensor:
    """Return the samples of an epoch: each once in a pass, or drawn by weight."""
    if draw is None:
        return torch.cat([torch.randperm(n) for _ in range(passes)])
    return torch.multinomial(draw, n * passes, replacement=True)


@torch.no_grad()
def _in_parts(model: nn.Module, X: Tensor) -> Tensor:
    return torch.cat([model(part) for part in X.split(500)])
