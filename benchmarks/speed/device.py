"""Times of fits to scores on a CUDA device, beside the same fits on the host.

``python -m benchmarks.speed.device --csv benchmarks/results/device.csv``: two minutes where there is a GPU. Times are
wall-clock seconds, with the device synchronised before and after. The floor is one argmax per sample on that device.
"""

import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.script import options, write_csv
from skimbalance import OffsetTuner

SIZES = ((1_000_000, 2), (10_000, 10), (100_000, 100), (1_000_000, 100), (1_000_000, 1000))
FITS = (("balanced_accuracy", "empirical"), ("f1_macro", "empirical"), ("f1_macro", "plugin"), ("f1_macro", "robust"))
"""The objectives and the estimates. Scores and intervals are computed for the last one only."""

_CELLS_ON_HOST = 10_000_000
"""Fits to more scores are too slow on the host."""

_REPEATS = 3

_SECONDS_PER_FIT = 10
"""After so many seconds a fit is not repeated."""

_SECONDS_TO_PROFILE = 2
"""Fits that take longer launch too many kernels to list."""


def long_tailed_logits(n_samples: int, n_classes: int, *, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return float32 logits of a model that is right for most samples, and classes 100 times as frequent as others."""
    generator = torch.Generator(device).manual_seed(0)
    prior = torch.logspace(0, -2, n_classes, device=device)
    y = torch.multinomial(prior / prior.sum(), n_samples, replacement=True, generator=generator)
    scores = torch.randn(n_samples, n_classes, device=device, generator=generator)
    scores += torch.log(prior / prior.sum())
    scores[torch.arange(n_samples, device=device), y] += 3
    return scores, y


def seconds(run: Callable[[], Any], device: str) -> float:
    """Return the median time of a few runs after one that does not count."""
    times = []
    for _ in range(_REPEATS + 1):
        _synchronise(device)
        begin = perf_counter()
        run()
        _synchronise(device)
        times.append(perf_counter() - begin)
        if sum(times) > _SECONDS_PER_FIT:
            break
    return statistics.median(times[1:] or times)


def launches(run: Callable[[], Any]) -> int:
    """Return the number of kernels that a run launches."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    return sum(event.device_type == torch.autograd.DeviceType.CUDA for event in profiler.events())


def _synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def rows(device: str) -> Iterator[dict[str, Any]]:
    """Measure all fits on one device, the slowest estimate last."""
    for (objective, estimate), (n_samples, n_classes) in product(FITS, SIZES):
        if device == "cpu" and n_samples * n_classes > _CELLS_ON_HOST:
            continue
        scores, y = long_tailed_logits(n_samples, n_classes, device=device)
        level = 0.9 if estimate == "robust" else None
        tuner = OffsetTuner(objective, kind="logits", estimate=estimate, confidence_level=level)
        fit = partial(tuner.fit, scores, y, classes=np.arange(n_classes))
        floor, time = seconds(partial(torch.argmax, scores, dim=1), device), seconds(fit, device)
        yield {
            "device": device,
            "n_samples": n_samples,
            "n_classes": n_classes,
            "objective": objective,
            "estimate": estimate,
            "seconds": time,
            "times_argmax": time / floor,
            "kernels": launches(fit) if device == "cuda" and time < _SECONDS_TO_PROFILE else None,
            "value": tuner.in_sample_score_,
        }


def main() -> None:
    """Measure on the device, then on the host."""
    asked = options(__doc__, writes="the times").parse_args()
    torch.set_num_threads(1)
    found = []
    for device in ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]:
        for row in rows(device):
            print(row, file=sys.stderr, flush=True)
            found.append(row)
            if asked.csv:
                write_csv(asked.csv, found)


if __name__ == "__main__":
    main()
