"""Small nets, in every way that a classifier may end."""

import torch
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier

torch.set_num_threads(1)


class Head(torch.nn.Module):
    """A layer, and what comes after it: nothing, or a function of the last dimension."""

    def __init__(self, n_outputs=3, ending=None, n_features=4):
        super().__init__()
        self.layer = torch.nn.Linear(n_features, n_outputs)
        self.ending = ending

    def forward(self, X):
        logits = self.layer(X)
        return logits if self.ending is None else self.ending(logits)


def softmax(logits):
    return torch.softmax(logits, dim=-1)


def log_softmax(logits):
    return torch.nn.functional.log_softmax(logits, dim=1)


def log_by_hand(logits):
    return (torch.softmax(logits, dim=-1) + 0.0).log()


def softmax_by_hand(logits):
    return torch.softmax(logits, dim=-1) + 0.0


def sigmoid_by_hand(logits):
    return torch.sigmoid(logits) + 0.0


def several(ending=None, criterion=torch.nn.CrossEntropyLoss, *, n_classes=3, **options):
    """A net with an output for each class."""
    options = {"max_epochs": 5, "lr": 0.1, "verbose": 0, "iterator_train__shuffle": True} | options
    return NeuralNetClassifier(Head, module__n_outputs=n_classes, module__ending=ending, criterion=criterion, **options)


def single(ending=None, criterion=torch.nn.BCEWithLogitsLoss, **options):
    """A net with one output."""
    options = {"max_epochs": 5, "lr": 0.1, "verbose": 0} | options
    return NeuralNetBinaryClassifier(Head, module__n_outputs=1, module__ending=ending, criterion=criterion, **options)


def layer_of(net):
    """The logits of a fitted net's layer, straight from its weights, for rows `X`."""
    layer = net.module_.layer

    def logits(X):
        with torch.no_grad():
            return layer(torch.as_tensor(X))

    return logits
