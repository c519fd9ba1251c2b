from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

KINDS: tuple[str, ...]

_Vector = npt.NDArray[np.float64]

class Ascent:
    n_classes: int
    n_samples: int
    objective_value: float
    offsets: _Vector
    best: npt.NDArray[np.intc]
    def __init__(
        self,
        scores: _Vector | None,
        *,
        single: bool,
        codes: npt.NDArray[np.intc] | None,
        shares: npt.NDArray[np.float32 | np.float64] | None,
        weights: _Vector | None,
        support: _Vector,
        forms: Sequence[tuple[Any, ...]],
        rewards: _Vector | None,
        worst: float,
        largest: float,
        pairs: tuple[npt.NDArray[np.int64 | np.intc], ...] | None = None,
        settled: tuple[_Vector, _Vector, float] | None = None,
    ) -> None: ...
    def start(
        self,
        pair_scores: _Vector,
        offsets: _Vector,
        lower: Any,
        upper: Any,
        reach: float = ...,
        best: npt.NDArray[np.intc] | None = ...,
    ) -> None: ...
    def recount(self) -> None: ...
    def sweep(self, classes: npt.NDArray[np.int64], least: float) -> npt.NDArray[np.int64]: ...
    def value_at(self, offsets: _Vector) -> float: ...
