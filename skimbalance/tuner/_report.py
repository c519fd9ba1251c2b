"""The report of a fit: objective, scores, each class before and after, and notes, as text and as HTML."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from textwrap import fill
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.validation import label_values
from skimbalance.estimation import Guarantee
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.metrics.counts import ClassProfile

__all__ = ["Report"]

_WIDTH = 88

_Row = tuple[str, ...]

_STYLE = (
    "<style>.skimbalance-report{font-size:.9em;line-height:1.5}"
    ".skimbalance-report th,.skimbalance-report td{padding:.15em .8em .15em 0;text-align:right;white-space:nowrap}"
    ".skimbalance-report .facts th,.skimbalance-report .facts td,.skimbalance-report .classes :is(th,td):first-child"
    "{text-align:left;white-space:normal;vertical-align:top}"
    ".skimbalance-report .scroll{max-height:24em;overflow:auto;margin:.6em 0}</style>"
)


@dataclass(frozen=True)
class Report:
    """A title, facts by name, a table of the classes with its header and what it is about, and notes.

    `print` shows text, with the smallest classes alone where there are many; a notebook shows all classes.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    header: _Row
    classes: tuple[_Row, ...]
    about: str
    notes: tuple[str, ...]
    noun: str = "classes"
    values: dict[str, Any] = field(default_factory=dict, repr=False)

    _MOST_CLASSES = 30

    @classmethod
    def of(cls, tuner: Any) -> Self:
        """Read the fitted attributes of an `OffsetTuner`."""
        profile: ClassProfile = tuner.class_profile_
        one, several = ("label", "labels") if tuner.multilabel_ else ("class", "classes")
        thresholds = to_numpy(tuner.threshold_) if tuner.multilabel_ else None
        own = () if thresholds is None else ("threshold",)
        header: _Row = (one, "samples", "offset", "interval", *own, "recall", "precision")
        classes = _lines(profile, to_numpy(tuner.offsets_), getattr(tuner, "offsets_interval_", None), thresholds)
        if not hasattr(tuner, "offsets_interval_"):
            header, classes = _without(3, header), [_without(3, line) for line in classes]
        samples = "" if tuner.multilabel_ else f", {_count(profile.support.sum())} samples"
        where = (
            "on validation folds, by offsets fitted without them" if profile.held_out else "on the samples of the fit"
        )
        return cls(
            title=f"{type(tuner).__name__}, {len(profile.classes)} {several}{samples}",
            facts=tuple(_facts(tuner)),
            header=header,
            classes=tuple(classes),
            about=f"Recall and precision without offsets and with them, {where}; the smallest {one} first.",
            notes=tuple(tuner.notes_),
            noun=several,
            values=_values(tuner),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as values of JSON: numbers, strings, truth values, lists, dictionaries and None.

        Returns
        -------
        dict
            `scores` holds single numbers by name, for trackers: `score`, `score_low`, `score_high`, `in_sample_score`,
            `untuned_score` and `coverage`, those that the fit has and that are finite. `classes`, `offsets`, `support`,
            `recall_before`, `recall_after`, `precision_before` and `precision_after` are lists in the order of the
            classes. So are `offsets_interval_low` and `offsets_interval_high`. Strings are `objective`, `kind`,
            `estimate` and the lists `constraints` and `notes`. `threshold` is a number in the binary case, a list for
            multilabel targets and else None. `guarantees` is a list of dictionaries. NaN and infinity are None.

        Examples
        --------
        >>> import json
        >>> from skimbalance import OffsetTuner
        >>> y = [0, 0, 0, 1, 0, 0, 1, 1] * 10
        >>> tuner = OffsetTuner("f1", confidence_level=None).fit([0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.4, 0.6] * 10, y)
        >>> report = tuner.report().to_dict()
        >>> report["scores"]["in_sample_score"], report["classes"]
        (1.0, [0, 1])
        >>> json.loads(json.dumps(report)) == report
        True
        """
        return deepcopy(self.values)

    def __str__(self) -> str:
        """Return plain text."""
        width = max(len(name) for name, _ in self.facts)
        shown = self.classes[: self._MOST_CLASSES]
        parts = [self.title, "\n".join(f"{name:<{width}}  {value}" for name, value in self.facts)]
        parts.append("\n".join(_aligned([self.header, *shown])))
        left_out = len(self.classes) - len(shown)
        more = f" {left_out} {self.noun} with more samples are left out." if left_out else ""
        parts.append(fill(self.about + more, _WIDTH))
        notes = (fill(note, _WIDTH, initial_indent="- ", subsequent_indent="  ") for note in self.notes)
        parts += ["\n".join(notes)] if self.notes else []
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.facts)
        samples = "".join(_html_row(line, "td") for line in self.classes)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f'{_STYLE}<div class="skimbalance-report"><strong>{escape(self.title)}</strong>'
            f'<table class="facts"><tbody>{facts}</tbody></table>'
            f'<div class="scroll"><table class="classes"><thead>{_html_row(self.header, "th")}</thead>'
            f"<tbody>{samples}</tbody></table></div><p>{escape(self.about)}</p><ul>{notes}</ul></div>"
        )


def _values(tuner: Any) -> dict[str, Any]:
    """Return the fitted attributes of a tuner as values of JSON."""
    profile: ClassProfile = tuner.class_profile_
    scores = {"score": getattr(tuner, "score_", None)}
    scores |= dict(zip(("score_low", "score_high"), getattr(tuner, "score_interval_", ()), strict=False))
    scores |= {"in_sample_score": tuner.in_sample_score_, "untuned_score": tuner.untuned_score_}
    scores["coverage"] = getattr(tuner, "coverage_", None)
    interval = getattr(tuner, "offsets_interval_", None)
    low, high = (None, None) if interval is None else to_numpy(interval)
    values: dict[str, Any] = _as_json(
        {
            "objective": _named(tuner.objective),
            "constraints": [_bound(constraint) for constraint in tuner.constraints],
            "kind": tuner.kind,
            "estimate": tuner.estimate,
            "scores": {name: value for name, value in scores.items() if value is not None and math.isfinite(value)},
            "confidence_level": tuner.confidence_level,
            "multilabel": tuner.multilabel_,
            "held_out": profile.held_out,
            "pos_label": getattr(tuner, "pos_label_", None),
            "threshold": getattr(tuner, "threshold_", None),
            "classes": tuner.classes_,
            "offsets": tuner.offsets_,
            "offsets_interval_low": low,
            "offsets_interval_high": high,
            "support": profile.support,
            "recall_before": profile.recall_before,
            "recall_after": profile.recall_after,
            "precision_before": profile.precision_before,
            "precision_after": profile.precision_after,
            "guarantees": [
                {**vars(guarantee), "constraint": str(guarantee.constraint)} for guarantee in tuner.guarantees_
            ],
            "notes": tuner.notes_,
        }
    )
    return values


def _as_json(value: Any) -> Any:
    """Return a value as JSON has it: arrays as lists, numbers that are not finite as None, other types as text."""
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    array = to_numpy(value)
    if array.ndim > 0:
        return [_as_json(each) for each in label_values(array)]
    plain = array.item()
    if isinstance(plain, bool | int):
        return plain
    return (plain if math.isfinite(plain) else None) if isinstance(plain, float) else str(value)


def _facts(tuner: Any) -> list[tuple[str, str]]:
    """Return the objective and the scores, a line each."""
    facts = [
        ("Objective", _named(tuner.objective)),
        *(("constraint", _bound(constraint)) for constraint in tuner.constraints),
        *(("guarantee", text) for text in _guarantees(tuner)),
    ]
    if len(tuner.classes_) == 2 and not tuner.multilabel_:
        facts += [("positive class", str(tuner.pos_label_))]
    away = " from the target" if isinstance(tuner.objective, ImbalanceState) else ""
    if hasattr(tuner, "score_"):
        facts.append(("Expected on unseen data", f"{tuner.score_:.4g}{away}{_between(tuner)}"))
    facts.append(("on the samples of the fit", f"{tuner.in_sample_score_:.4g}{away}, in-sample"))
    facts.append(("without offsets", f"{tuner.untuned_score_:.4g}{away}, on the same samples"))
    if hasattr(tuner, "coverage_"):
        facts.append(("Decided", f"{tuner.coverage_:.1%} of the samples; the others are {tuner.rejection_.labels[-1]}"))
    if hasattr(tuner, "threshold_") and not tuner.multilabel_:
        facts.append(("Threshold", _threshold(tuner)))
    return facts


def _threshold(tuner: Any) -> str:
    """Return from which probability on the positive class is predicted: a tie goes to the second class."""
    score = "the logistic function of its score" if tuner.kind == "logits" else "its probability"
    if tuner.pos_label_ == tuner.classes_[1]:
        return f"{tuner.threshold_:.4g}: {tuner.pos_label_} is predicted where {score} is at least this"
    return f"{1 - tuner.threshold_:.4g}: {tuner.pos_label_} is predicted where {score} is greater"


def _named(objective: Any) -> str:
    """Return how a user would write the objective."""
    if isinstance(objective, list | tuple):
        return "a metric for each label"
    return objective if isinstance(objective, str) else getattr(objective, "__name__", repr(objective))


def _bound(constraint: Constraint) -> str:
    """Return the constraint in words."""
    sure = "" if constraint.confidence is None else f", with a confidence of {constraint.confidence:.0%}"
    return f"{constraint}{sure}"


def _guarantees(tuner: Any) -> list[str]:
    """Return what can be stated about each constraint with a confidence, or of how many labels it is claimed."""
    guarantees: Sequence[Guarantee] = tuner.guarantees_
    if tuner.multilabel_ and guarantees:
        claimed = sum(guarantee.holds for guarantee in guarantees)
        return [f"{claimed} of {len(guarantees)} constraints of labels are claimed for unseen data"]
    return [_guaranteed(guarantee) for guarantee in guarantees]


def _guaranteed(guarantee: Guarantee) -> str:
    """Return whether a constraint is claimed, how it is proven, and the figures of the test."""
    claimed = "claimed" if guarantee.holds else "not claimed"
    errors = "" if np.isnan(guarantee.errors) else f"{guarantee.errors:.4g} errors of "
    return (
        f"{guarantee.constraint} is {claimed}, {guarantee.kind}: {errors}{guarantee.n:.4g} samples, p-value "
        f"{guarantee.p_value:.2g}, bound {guarantee.bound:.4g}"
    )


def _between(tuner: Any) -> str:
    if not hasattr(tuner, "score_interval_"):
        return ""
    low, high = tuner.score_interval_
    return f", between {low:.4g} and {high:.4g} with a confidence of {tuner.confidence_level:.0%}"


def _lines(
    profile: ClassProfile, offsets: npt.NDArray[Any], interval: Any, thresholds: npt.NDArray[Any] | None
) -> list[_Row]:
    """Return a line of the table for each class."""
    bounds = np.full((2, len(offsets)), np.nan) if interval is None else to_numpy(interval)
    return [
        (
            str(profile.classes[k]),
            _count(profile.support[k]),
            f"{offsets[k]:+.2f}",
            f"{bounds[0, k]:+.2f} to {bounds[1, k]:+.2f}",
            *([] if thresholds is None else [f"{thresholds[k]:#.3g}"]),
            f"{_rate(profile.recall_before[k])} -> {_rate(profile.recall_after[k])}",
            f"{_rate(profile.precision_before[k])} -> {_rate(profile.precision_after[k])}",
        )
        for k in np.argsort(profile.support, kind="stable")
    ]


def _rate(rate: float) -> str:
    return "none" if np.isnan(rate) else f"{rate:.2f}"


def _count(weight: float) -> str:
    """Return a number of samples, or their weight."""
    whole = abs(weight - round(weight)) <= 1e-9 * max(1.0, weight)  # weights of one tenth add up to that
    return f"{weight:,.0f}" if whole else f"{weight:,.4g}"


def _without(place: int, line: _Row) -> _Row:
    return line[:place] + line[place + 1 :]


def _aligned(lines: list[_Row]) -> list[str]:
    """Set the first column to the left and the others to the right."""
    widths = [max(len(line[j]) for line in lines) for j in range(len(lines[0]))]
    return [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    ]


def _html_row(line: _Row, cell: str) -> str:
    cells = (escape(value.replace("->", "→")) for value in line)
    return "<tr>" + "".join(f"<{cell}>{value}</{cell}>" for value in cells) + "</tr>"
