"""Times of fits to scores on a CUDA device, beside the same fits on the host.

``python -m benchmarks.speed.device --csv benchmarks/results/device.csv``: some minutes where there is a GPU. Times are
wall-clock seconds, with the device synchronised before and after. The floor is one argmax per sample on the same device.
"""

import statistics
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.script import options, write_csv
from skimbalance import OffsetTuner

SIZES = ((10_000, 10), (100_000, 100), (1_000_000, 2), (1_000_000, 100), (1_000_000, 1000))
FITS = (("balanced_accuracy", "empirical"), ("f1_macro", "empirical"), ("f1_macro", "plugin"), ("f1_macro", "robust"))
"""The objectives and the estimates. Scores and intervals are computed for the last one only."""

_CELLS_ON_HOST = 3_000_000
"""Fits to more scores are too slow on the host."""

_REPEATS = 3


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
        if times[-1] > 20:
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


def rows(device: str) -> list[dict[str, Any]]:
    """Measure all fits on one device."""
    found = []
    for n_samples, n_classes in SIZES:
        if device == "cpu" and n_samples * n_classes > _CELLS_ON_HOST:
            continue
        scores, y = long_tailed_logits(n_samples, n_classes, device=device)
        floor = seconds(lambda scores=scores: torch.argmax(scores, dim=1), device)
        for objective, estimate in FITS:
            level = 0.9 if estimate == "robust" else None

            def fit(objective=objective, estimate=estimate, level=level, scores=scores, y=y) -> OffsetTuner:
                tuner = OffsetTuner(objective, kind="logits", estimate=estimate, confidence_level=level)
                return tuner.fit(scores, y, classes=np.arange(scores.shape[1]))

            value = fit().in_sample_score_
            time = seconds(fit, device)
            row = {
                "device": torch.cuda.get_device_name() if device == "cuda" else "cpu, one thread",
                "n_samples": n_samples,
                "n_classes": n_classes,
                "objective": objective,
                "estimate": estimate,
                "seconds": time,
                "times_argmax": time / floor,
                "kernels": launches(fit) if device == "cuda" and time < 20 else None,
                "value": value,
            }
            print(row, file=sys.stderr, flush=True)
            found.append(row)
        del scores, y
    return found


def main() -> None:
    """Measure on the device, then on the host."""
    asked = options(__doc__, writes="the times").parse_args()
    torch.set_num_threads(1)
    devices = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    found = []
    for device in devices:
        found += rows(device)
        if asked.csv:
            write_csv(asked.csv, found)


if __name__ == "__main__":
    main()
