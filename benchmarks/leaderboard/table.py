"""The summary as Markdown, with sentences that say which methods are significantly better or worse than the default."""

import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import fmean
from typing import NamedTuple

from benchmarks.baselines import Baseline
from benchmarks.leaderboard.problems import FAMILIES
from benchmarks.leaderboard.summary import ALL, EXACT, GROUPS, LOSS, SLACK, WELL_POPULATED, Line, Table
from benchmarks.script import markdown
from benchmarks.significance import LEVEL

__all__ = ["family_page", "page", "sentences"]

METRICS = {
    "f1": "F1 of the minority class",
    "f1_macro": "macro-F1",
    "geometric_mean": "geometric mean of the recalls",
    "balanced_accuracy": "balanced accuracy",
    "matthews_corrcoef": "Matthews correlation",
}

_INTRODUCTION = """
Each method tunes its decisions on one sample and is scored on unseen data. Neither the classifier nor the method has
used the test samples. All methods get the same probabilities. In binary problems class 1 is the minority class. Test
samples with other class priors than the tuning samples are weighted to the priors of the tuning samples.

Problems form families by the origin of their scores:
"""

_COLUMNS = f"""The tables are sorted by mean rank:

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

_OVERVIEW = """## Overview

Cells are the mean score and the mean rank of a method, both averaged over the metrics. The best are bold. †: the method
did not run on all problems. -: it did not run for all metrics. The tables of each family are on
[a page of their own]({families})."""

_ESTIMATES = f"""`score_` and `score_interval_` estimate the score on unseen data from the tuning samples alone.

- **coverage**: how often the 90% interval contains the test score.
- **bias**: mean of `score_` minus the test score. The untuned decisions need no estimate: their bias is the difference
  between their scores on the tuning samples and on the test samples. **width**: mean width of the interval.
- **worst, well populated**: the largest loss against the untuned decisions where each class has at least
  {WELL_POPULATED} tuning samples. **lost {LOSS:g}**: share of these problems with a greater loss.
- **x {EXACT}**: time of a fit as a multiple of that of the in-sample optimum, median over the problems."""


def page(
    tables: Sequence[Table],
    methods: Mapping[str, Baseline],
    *,
    command: str,
    families: str,
    title: str = "Leaderboard",
    about: str = "",
) -> str:
    """Return the page with the overview and the tables over all families; `families` is the file of the other page.

    `about` is a paragraph on the data sets.
    """
    versions = {line.method: line.versions for table in tables for line in table.lines}
    libraries = {each for found in versions.values() for each in found.split(", ")}
    libraries |= {f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn")}
    first = _first(tables)
    largest = {table.group: (table.problems, table.sets) for table in sorted(first, key=lambda table: table.problems)}
    n_problems, n_sets = (sum(numbers) for numbers in zip(*largest.values(), strict=True))
    what = [
        [methods[method].name, versions[method], (type(methods[method]).__doc__ or "").splitlines()[0]]
        for method in methods
        if method in versions
    ]
    parts = [
        f"# {title}",
        about,
        _INTRODUCTION,
        "\n".join(f"- **{FAMILIES[name].name}**: {FAMILIES[name].scores}." for name in _families(tables)),
        f"Made by `{command}`: {n_problems} problems from {n_sets} data sets.",
        f"Versions: Python {platform.python_version()}, {', '.join(sorted(libraries))}.",
        f"**{sentences(tables)[0]}**",
        _OVERVIEW.format(families=families),
        *(_overview(tables, group) for group in GROUPS),
        "\n".join(f"- {sentence}" for sentence in sentences(tables)[1:]),
        _COLUMNS,
        *(_section(table) for table in first),
        "## The methods\n\n" + markdown(["method", "version", "what it does"], what, text=3),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def family_page(tables: Sequence[Table], *, title: str = "Leaderboard") -> str:
    """Return the page with the tables of each family."""
    parts = [f"# {title} by family", _COLUMNS]
    for family in _families(tables):
        parts.append(f"## {FAMILIES[family].name.capitalize()}\n\nScores: {FAMILIES[family].scores}.")
        parts += [f"#{_section(table)}" for table in tables if table.family == family]
    return "\n\n".join(part.strip() for part in [*parts, _estimates(tables)] if part) + "\n"


def _first(tables: Sequence[Table]) -> list[Table]:
    """Return the tables over all families, or those of the only family."""
    return [table for table in tables if table.family == tables[0].family]


def _families(tables: Sequence[Table]) -> list[str]:
    return [family for family in FAMILIES if any(table.family == family for table in tables)]


def _name(family: str) -> str:
    return family if family == ALL else FAMILIES[family].name


def _overview(tables: Sequence[Table], group: str) -> str:
    """Return a table with a line for each method and a column for each family."""
    of_group = [table for table in tables if table.group == group]
    columns = {
        family: _column([table for table in of_group if table.family == family])
        for family in dict.fromkeys(table.family for table in of_group)
    }
    names = {line.method: line.name for table in of_group for line in table.lines}
    first = next(iter(columns.values()), {})
    by_rank = sorted(names, key=lambda method: first[method].rank if method in first else math.inf)
    rows = [[names[m], *(cells[m].text if m in cells else "-" for cells in columns.values())] for m in by_rank]
    return markdown([f"{group} problems", *map(_name, columns)], rows) if rows else ""


class _Cell(NamedTuple):
    """The text of a cell of the overview, and the mean rank in it."""

    text: str
    rank: float


def _column(tables: Sequence[Table]) -> dict[str, _Cell]:
    """Return the mean score and the mean rank of each method that is in all tables of a family."""
    by_method = [{line.method: line for line in table.lines} for table in tables]
    lines = {m: [of_table[m] for of_table in by_method] for m in by_method[0] if all(m in each for each in by_method)}
    means, ranks = (
        {m: fmean(getattr(line, x) for line in found) for m, found in lines.items()} for x in ("mean", "rank")
    )
    complete = {m for m, found in lines.items() if all(x.ran == t.problems for x, t in zip(found, tables, strict=True))}
    best = max((means[m] for m in complete), default=math.nan)
    return {
        m: _Cell(
            f"{_bold(f'{means[m]:.4f}', means[m] == best)}{'' if m in complete else '†'} / "
            f"{_bold(f'{ranks[m]:.2f}', ranks[m] == min(ranks.values()))}",
            ranks[m],
        )
        for m in lines
    }


def _bold(text: str, is_bold: bool) -> str:
    return f"**{text}**" if is_bold else text


def _title(table: Table) -> str:
    return f"{table.group.capitalize()}, {METRICS[table.metric]}"


def sentences(tables: Sequence[Table]) -> list[str]:
    """Return how the default compares with the other methods: over the tables of all families, then in each family."""
    compared = [table for table in tables if table.default is not None]
    families = _families(compared)
    if not compared:
        return ["The default was not run."]
    of_family = {name: [table for table in compared if table.family == name] for name in families}
    default = compared[0].default.name
    every = [table for found in of_family.values() for table in found]
    overall = f"{default}, in the tables of the families: {_counts(every)}"
    return [overall, *(f"{_name(name)}: {_counts(found)}" for name, found in of_family.items() if len(families) > 1)]


def _counts(tables: Sequence[Table]) -> str:
    """Return in how many of the tables the default is best, and the verdicts of all comparisons."""
    verdicts = [line.verdict for table in tables for line in table.others if not math.isnan(line.p_holm)]
    best_mean = sum(not _better_mean(table) for table in tables)
    best_rank = sum(not _better_rank(table) for table in tables)
    return (
        f"best mean in {best_mean} of {len(tables)} tables, best mean rank in {best_rank}. In {len(verdicts)} "
        f"comparisons it is significantly better in {verdicts.count(-1)}, significantly worse in "
        f"{verdicts.count(1)}; {verdicts.count(0)} differences are not significant."
    )


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
            f"{_name(table.family)}: {_title(table)}",
            _number(line.coverage, ".0%"),
            f"{line.bias:+.4f}",
            _number(line.width, ".4f"),
            _number(line.worst_well_populated, "+.4f"),
            _number(line.share_lost, ".1%"),
            _number(line.times_exact, ".1f"),
        ]
        for table in tables
        for line in table.lines
        if line.intervals
    ]
    if not rows:
        return ""
    head = [
        "method",
        "problems and metric",
        "coverage",
        "bias",
        "width",
        "worst, well populated",
        f"lost {LOSS:g}",
        f"x {EXACT}",
    ]
    return "\n\n".join(["## Estimated scores", _ESTIMATES, markdown(head, rows, text=2)])
