"""The summary as Markdown, with sentences that say which methods are significantly better or worse than the default."""

import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from benchmarks.baselines import Baseline
from benchmarks.leaderboard.problems import MODELS, SEEDS
from benchmarks.leaderboard.summary import EXACT, LEVEL, SLACK, WELL_POPULATED, Line, Table
from benchmarks.script import markdown

__all__ = ["page", "sentences"]

METRICS = {
    "f1": "F1 of the minority class",
    "f1_macro": "macro-F1",
    "geometric_mean": "geometric mean of the recalls",
    "balanced_accuracy": "balanced accuracy",
    "matthews_corrcoef": "Matthews correlation",
}

_INTRODUCTION = f"""# Leaderboard

Each method tunes its decisions on one sample and is scored on unseen data. Neither the classifier nor the method has
used the test samples. All methods get the same probabilities. In binary problems class 1 is the minority class. The
nets have as many test samples of each class. There, samples are weighted so that the class priors are those of the
tuning samples. Classifiers: {", ".join(MODELS)}, and nets; up to {len(SEEDS)} seeds.

The tables are sorted by mean rank:

- **mean**: mean test score over the problems on which the method ran (†: not all).
- **rank**: mean rank among the methods of the table. 1 is best; equal scores share a rank. A method without a score is
  last.
- **worse**: share of problems on which the score is lower than that of the untuned decisions by more than {SLACK:g}.
  **worst**: the largest loss against the untuned decisions.
- **ms**: median processor time of a fit, on one thread.
- **difference**: mean score of the default minus that of the method. **wins/ties/losses** are those of the default.
- **p**: Wilcoxon's signed-rank test of the difference. Each data set is one observation. p-values are corrected by
  Holm's method for all comparisons of the table. **n.s.**: not significant, p is {LEVEL:g} or larger.
"""

_ESTIMATES = f"""`score_` and `score_interval_` estimate the score on unseen data from the tuning samples alone.

- **coverage**: how often the 90% interval contains the test score.
- **bias**: mean of `score_` minus the test score. **width**: mean width of the interval.
- **worst, well populated**: the largest loss against the untuned decisions where each class has at least
  {WELL_POPULATED} tuning samples.
- **x {EXACT}**: time of a fit as a multiple of that of the in-sample optimum, median over the problems."""


def page(tables: Sequence[Table], methods: Mapping[str, Baseline], *, command: str) -> str:
    """Return the whole page."""
    versions = {line.method: line.versions for table in tables for line in table.lines}
    libraries = {each for found in versions.values() for each in found.split(", ")}
    libraries |= {f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn")}
    largest = {table.group: (table.problems, table.sets) for table in sorted(tables, key=lambda table: table.problems)}
    n_problems, n_sets = (sum(numbers) for numbers in zip(*largest.values(), strict=True))
    what = [
        [methods[method].name, versions[method], (type(methods[method]).__doc__ or "").splitlines()[0]]
        for method in methods
        if method in versions
    ]
    parts = [
        _INTRODUCTION,
        f"Made by `{command}`: {n_problems} problems from {n_sets} data sets.",
        f"Versions: Python {platform.python_version()}, {', '.join(sorted(libraries))}.",
        f"**{sentences(tables)[0]}**",
        *(_section(table) for table in tables),
        _estimates(tables),
        "## The methods\n\n" + markdown(["method", "version", "what it does"], what, text=3),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _title(table: Table) -> str:
    return f"{table.group.capitalize()}, {METRICS[table.metric]}"


def sentences(tables: Sequence[Table]) -> list[str]:
    """Return how the default compares with the other methods: over all tables first, then in each."""
    compared = [table for table in tables if table.default is not None]
    if not compared:
        return ["The default was not run."]
    verdicts = [line.verdict for table in compared for line in table.others if not math.isnan(line.p_holm)]
    best_mean = sum(not _better_mean(table) for table in compared)
    best_rank = sum(not _better_rank(table) for table in compared)
    overall = (
        f"{compared[0].default.name} has the best mean in {best_mean} of {len(compared)} tables and the best mean rank "
        f"in {best_rank}. In {len(verdicts)} comparisons it is significantly better in {verdicts.count(-1)}, "
        f"significantly worse in {verdicts.count(1)}; {verdicts.count(0)} differences are not significant."
    )
    return [overall, *(f"{_title(table)}: {_verdict(table)}" for table in compared)]


def _better_mean(table: Table) -> list[Line]:
    """Return the methods with the better mean, where both ran."""
    return sorted((line for line in table.others if line.difference < 0), key=lambda line: line.difference)


def _better_rank(table: Table) -> list[Line]:
    return [line for line in table.others if line.rank < table.default.rank]


def _verdict(table: Table) -> str:
    default = table.default
    better = [f"{line.name} (by {-line.difference:.4f}, {_p(line)})" for line in _better_mean(table)]
    ranked = [f"{line.name} ({line.rank:.2f})" for line in _better_rank(table)]
    compared = [line for line in table.others if not math.isnan(line.p_holm)]
    by_verdict = {verdict: [line.name for line in compared if line.verdict == verdict] for verdict in (1, -1, 0)}
    level = "all" if len(by_verdict[0]) == len(table.others) else _listed(by_verdict[0])
    return (
        f"{default.name}: mean {default.mean:.4f}, rank {default.rank:.2f} of {len(table.lines)}. "
        f"Better mean: {_listed(better)}. Better rank: {_listed(ranked)}. "
        f"Significantly better: {_listed(by_verdict[1])}. Significantly worse: {_listed(by_verdict[-1])}. "
        f"Not significant: {level}."
    )


def _listed(names: Sequence[str]) -> str:
    return "; ".join(names) or "none"


def _section(table: Table) -> str:
    """Return a table and its notes."""
    some_failed = any(line.ran < table.problems for line in table.lines)
    head = ["method", "mean", "rank", "worse", "worst", "ms", "difference", "wins/ties/losses", "p"]
    if some_failed:
        head.insert(2, "mean where all ran")
    rows = [_row(line, table, common=some_failed) for line in table.lines]
    summary = f"{table.problems} problems from {table.sets} data sets."
    verdict = "" if table.default is None else _verdict(table)
    notes = [
        f"- {mark}{line.name}: {reason} on {count} of {table.problems} problems."
        for line in table.lines
        for mark, reasons in (("† ", line.failed | line.not_offered), ("", line.stopped))
        for reason, count in reasons.items()
    ]
    notes += [f"- Not run: {line.name} ({'; '.join(line.failed | line.not_offered)})." for line in table.absent]
    return "\n\n".join([f"## {_title(table)}", f"{summary} {verdict}", markdown(head, rows), "\n".join(notes)])


def _row(line: Line, table: Table, *, common: bool) -> list[str]:
    is_default = line.method == table.against
    against = ["-"] * 3
    if not (is_default or math.isnan(line.difference)):
        against = [f"{line.difference:+.4f}", f"{line.wins}/{line.ties}/{line.losses}", _p(line)]
    return [
        f"**{line.name}**" if is_default else line.name,
        f"{line.mean:.4f}" + ("" if line.ran == table.problems else "†"),
        *([f"{line.mean_common:.4f}"] if common else []),
        f"{line.rank:.2f}",
        _number(line.share_worse, ".0%"),
        _number(line.worst, "+.4f"),
        _number(1000 * line.seconds, ".3g"),
        *against,
    ]


def _p(line: Line) -> str:
    if math.isnan(line.p_holm):
        return "-"
    shown = "p < .001" if line.p_holm < 0.001 else f"p = {line.p_holm:.2g}"
    return shown if line.verdict else f"{shown}, n.s."


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _estimates(tables: Sequence[Table]) -> str:
    """Return how the estimates of the score compare with the test scores."""
    rows = [
        [
            line.name,
            _title(table),
            f"{line.coverage:.0%}",
            f"{line.bias:+.4f}",
            f"{line.width:.4f}",
            _number(line.worst_well_populated, "+.4f"),
            _number(line.times_exact, ".1f"),
        ]
        for table in tables
        for line in table.lines
        if line.intervals
    ]
    if not rows:
        return ""
    head = ["method", "problems and metric", "coverage", "bias", "width", "worst, well populated", f"x {EXACT}"]
    return "\n\n".join(["## Estimated scores", _ESTIMATES, markdown(head, rows, text=2)])
