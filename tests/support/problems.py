"""Random problems, small enough for the oracles."""

import numpy as np

from skimbalance.metrics import Cost
from skimbalance.metrics.counts import SoftTruth, Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem


def labels(rng, n_samples, n_classes):
    """Long-tailed labels in which every class occurs."""
    prior = 0.5 ** np.arange(n_classes)
    return np.concatenate(
        [np.arange(n_classes), rng.choice(n_classes, size=n_samples - n_classes, p=prior / prior.sum())]
    )


def log_proba(rng, y, n_classes, *, decimals=None):
    """Log-probabilities that know something of `y`; few distinct ones where `decimals` is small."""
    scores = rng.normal(size=(len(y), n_classes))
    scores[np.arange(len(y)), y] += 1
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    if decimals is not None:
        proba = np.round(proba, decimals)
    return np.log(np.clip(proba, 1e-300, None))


def problem(seed, *, n_classes=3, n_samples=20, metric="f1_macro", decimals=None, weighted=False, soft=False):
    """A problem with the metric of that name, the positive class being the last."""
    rng = np.random.default_rng(seed)
    y = labels(rng, n_samples, n_classes)
    scores = log_proba(rng, y, n_classes, decimals=decimals)
    weights = rng.integers(1, 4, size=n_samples) / 2 if weighted else None
    if soft:
        shares = 0.7 * np.eye(n_classes)[y] + 0.3 * rng.dirichlet(np.ones(n_classes), size=n_samples)
        truth = Truth.from_shares(shares.T, weights=weights)
    else:
        truth = Truth.from_codes(y, n_classes=n_classes, weights=weights)
    return Problem(scores, truth, METRICS[metric].bind(n_classes - 1))


def labelled(name, truth, *, seed=0, n_samples=40, n_classes=4, decimals=None, bounds=(), single=False, scale=1.0):
    """A problem for a metric or "cost", with constraints; `truth` says whether labels are soft, and weighted."""
    base = problem(
        seed,
        n_classes=n_classes,
        n_samples=n_samples,
        decimals=decimals,
        weighted="weighted" in truth,
        soft="soft" in truth,
    )
    costs = np.random.default_rng(seed).integers(-1, 9, (n_classes, n_classes))
    metric = Cost(costs) if name == "cost" else METRICS[name].bind(n_classes - 1)
    scores = scale * base.scores.astype(np.float32 if single else np.float64)
    return Problem(scores, base.truth, metric, bounds)


def in_namespace(here, xp):
    """The same problem in another array library."""
    weights = None if here.truth.weights is None else xp.asarray(here.truth.weights)
    if isinstance(here.truth, SoftTruth):
        truth = Truth.from_shares(xp.asarray(here.truth.shares.copy()), weights=weights)
    else:
        codes = xp.asarray(here.truth.codes, dtype=xp.int64)
        truth = Truth.from_codes(codes, n_classes=here.n_classes, weights=weights)
    return Problem(xp.asarray(here.scores), truth, here.metric)


def features(seed=0, *, n_samples=200, n_classes=3):
    """Features (n, 4) in float32 and codes, the last class rare."""
    rng = np.random.default_rng(seed)
    y = labels(rng, n_samples, n_classes)
    return (rng.normal(size=(n_samples, 4)) + np.eye(n_classes, 4)[y] * 1.5).astype(np.float32), y
