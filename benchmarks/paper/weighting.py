"""Auto-Weighting: a weight for each training sample, learned by its effect on the loss of validation samples.

Hu et al. 2019, Learning Data Manipulation for Augmentation and Weighting (arXiv 1910.12795). The start, the decay and
the smallest value are those of the authors' published runs with two imbalanced classes of CIFAR-10.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.nn.functional import cross_entropy

__all__ = ["AutoWeighting"]

START, DECAY, SMALLEST = 1.0, 2.0, 1e-5
EPSILON = 1e-8
"""Of Adam."""


class AutoWeighting:
    """Weights of batches with sum one; a call updates and returns those of a batch.

    The validation samples have the imbalance of the training samples, where those of Hu et al. are balanced. So the
    loss is the mean over classes of the mean loss of each class, estimated by a batch that is drawn for each step.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        train: tuple[Tensor, Tensor],
        val: tuple[Tensor, Tensor],
        *,
        seed: int,
        n_drawn: int,
    ) -> None:
        self.model, self.optimiser, self.train, self.val = model, optimiser, train, val
        self.values = torch.full((len(train[1]),), START)
        self.draw = (1 / torch.bincount(val[1]))[val[1]]
        # A generator of its own, so that the training batches are those of the other nets.
        self.generator = torch.Generator().manual_seed(seed)
        self.n_drawn = n_drawn

    def __call__(self, losses: Tensor, batch: Tensor) -> Tensor:
        """Update the values of the samples in a batch, given the losses of the net, and return their weights."""
        rates = self.rates()
        if rates is not None:
            drawn = torch.multinomial(self.draw, self.n_drawn, replacement=True, generator=self.generator)
            gradient = self.gradient(losses, batch, drawn, rates)
            self.values[batch] = (self.values[batch] / DECAY - gradient).clamp(min=SMALLEST)
        return self.weights(batch)

    def weights(self, batch: Tensor) -> Tensor:
        """Return the values of a batch over their sum."""
        values = self.values[batch]
        return values / values.sum()

    def rates(self) -> list[Tensor] | None:
        """Return Adam's learning rate of each parameter; None before the first step."""
        (group,) = self.optimiser.param_groups
        states = [self.optimiser.state[parameter] for parameter in group["params"]]
        if not all(states):
            return None
        corrected = [state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"]) for state in states]
        return [group["lr"] / (moment.sqrt() + EPSILON) for moment in corrected]

    def gradient(self, losses: Tensor, batch: Tensor, drawn: Tensor, rates: Sequence[Tensor]) -> Tensor:
        """Return the derivative of `loss_after_step` by each weight: the step is linear in the weights."""
        names = [name for name, _ in self.model.named_parameters()]
        point = self._after_step(self.weights(batch), losses, rates)
        directions = torch.autograd.grad(self._loss_at(point, drawn), point)
        tangents = [-rate * direction for rate, direction in zip(rates, directions, strict=True)]
        parameters = {name: p.detach() for name, p in self.model.named_parameters()}
        X, y = self.train[0][batch], self.train[1][batch]

        def losses_at(parameters: dict[str, Tensor]) -> Tensor:
            return cross_entropy(functional_call(self.model, parameters, (X,)), y, reduction="none")

        return jvp(losses_at, (parameters,), (dict(zip(names, tangents, strict=True)),))[1]

    def loss_after_step(self, weights: Tensor, losses: Tensor, drawn: Tensor, rates: Sequence[Tensor]) -> Tensor:
        """Return the loss of validation samples if the net made a step on the weighted losses of a batch."""
        return self._loss_at(self._after_step(weights, losses, rates), drawn)

    def _after_step(self, weights: Tensor, losses: Tensor, rates: Sequence[Tensor]) -> list[Tensor]:
        parameters = list(self.model.parameters())
        gradients = torch.autograd.grad(weights @ losses, parameters, retain_graph=True)
        moved = (p.detach() - rate * g for p, rate, g in zip(parameters, rates, gradients, strict=True))
        return [p.requires_grad_() for p in moved]

    def _loss_at(self, point: Sequence[Tensor], drawn: Tensor) -> Tensor:
        named = dict(zip((name for name, _ in self.model.named_parameters()), point, strict=True))
        return cross_entropy(functional_call(self.model, named, (self.val[0][drawn],)), self.val[1][drawn])
