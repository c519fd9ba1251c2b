"""Saved offsets: what `--out` writes, and the decisions of `--apply`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance import OffsetTuner, __version__
from skimbalance._cli.tables import CommandError, Table
from skimbalance._core.decision import KINDS
from skimbalance._core.decision_rule import ArgmaxRule, DecisionRule, ThresholdRule
from skimbalance._core.validation import abridged_list
from skimbalance.estimation import Rejection

__all__ = ["Offsets"]

_Vector = npt.NDArray[Any]


@dataclass(frozen=True)
class Offsets:
    """The values of a file of offsets: those of `Report.to_dict`, and the columns, the dtype and the version.

    With a reject label, `rejection` has the state of the `Rejection`.
    """

    values: dict[str, Any]

    @classmethod
    def of(cls, tuner: OffsetTuner, columns: list[str]) -> "Offsets":
        """Return the offsets of a fitted tuner for the scores in these columns."""
        own = {"skimbalance": __version__, "columns": columns, "dtype": str(tuner.offsets_.dtype)}
        rejection: Rejection | None = getattr(tuner, "rejection_", None)
        return cls({**own, **tuner.report().to_dict(), "rejection": None if rejection is None else rejection.to_dict()})

    def write(self, path: Path) -> None:
        """Write the file."""
        lines = (f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in self.values.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Offsets":
        """Read the file, and check what decisions need."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise CommandError(f"--apply needs a file that --out wrote; {path} is no JSON: {error}") from error
        needed = {"classes": list, "offsets": list, "columns": list, "kind": str, "dtype": str}
        wrong = [name for name, kind in needed.items() if not isinstance(_entry(values, name), kind)]
        if wrong or len(values["classes"]) != len(values["offsets"]) or values["kind"] not in KINDS:
            raise CommandError(
                f"--apply needs a file that --out wrote, with {', '.join(needed)}; {path} has no valid "
                f"{wrong[0] if wrong else 'classes, offsets and kind'}"
            )
        return cls(values)

    def columns(self, table: Table, chosen: str | None) -> list[str]:
        """Return the columns of the scores to be decided."""
        names: list[str] = self.values["columns"]
        if chosen is not None:
            given = table.names(chosen, option="--columns")
            return names if set(given) == set(names) else given
        lacking = [name for name in names if name not in table.columns]
        if lacking:
            raise CommandError(
                f"--columns is needed: the offsets are for {abridged_list(names)}, and {table.path} lacks "
                f"{abridged_list(lacking)}. Name the column of each class in the order {self.labels}"
            )
        return names

    @property
    def labels(self) -> str:
        """The classes, as text."""
        return abridged_list(self.values["classes"])

    @property
    def decision_names(self) -> list[str]:
        """The names of the columns of decisions: one of classes, or one for each label of multilabel targets."""
        return [f"decision_{label}" for label in self.values["classes"]] if self._is_multilabel else ["decision"]

    def decide(self, scores: _Vector) -> _Vector:
        """Return the label of each sample (n,), or the indicator of labels (n, L), as `OffsetTuner.predict` does."""
        labels = np.asarray(self.values["classes"])
        rule = self._rule(labels)
        decided: _Vector = rule.predict(rule.check(scores, labels), labels)
        return decided

    def _rule(self, labels: _Vector) -> DecisionRule:
        offsets, kind = np.asarray(self.values["offsets"], dtype=self.values["dtype"]), self.values["kind"]
        if self._is_multilabel:
            thresholds = [np.inf if threshold is None else threshold for threshold in self.values["threshold"]]
            return ThresholdRule(offsets, np.asarray(thresholds), kind)
        state = self.values.get("rejection")
        return ArgmaxRule(offsets, None, kind, None if state is None else Rejection.from_dict(state, classes=labels))

    @property
    def _is_multilabel(self) -> bool:
        return bool(self.values.get("multilabel"))


def _entry(values: Any, name: str) -> Any:
    return values.get(name) if isinstance(values, dict) else None
