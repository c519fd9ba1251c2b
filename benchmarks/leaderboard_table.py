"""The summary as Markdown, with sentences that say plainly who is ahead; all of it from the results."""

import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from leaderboard_summary import EXACT, LEVEL, SLACK, WELL_POPULATED, Line, Table
from rivals import Rival

__all__ = ["sentences", "write_table"]

METRICS = {
    "f1": "F1 of the rarer class",
    "f1_macro": "macro-F1",
    "geometric_mean": "geometric mean of the recalls",
    "balanced_accuracy": "balanced accuracy",
    "matthews_corrcoef": "Matthews correlation",
}

_INTRODUCTION = f"""# Leaderboard

Decisions are tuned on some rows and scored on others that neither the classifier nor the tuning has seen. All methods
get the same probabilities. Tables are sorted by mean rank. Problems with two classes have class 1 the rarer one. The
nets were tested on as many rows of each class: there, rows are weighted so that the classes are as frequent as among
the rows tuned on.

- **mean**: the mean score on the test rows; over the problems where the method ran (†: not all).
- **rank**: the mean rank among the methods of the table, 1 the best, ties share; without a score a method is last.
- **worse**: on how many of the problems it is worse than no tuning by more than {SLACK:g}; **worst**: the worst
  difference to no tuning.
- **ms**: the median processor time of a fit, on one thread.
- **default ahead by**: the mean score of the default less that of the method; **won/tied/lost**: by the default.
- **p**: Wilcoxon's signed-rank test of that difference, a data set one observation, by Holm's rule for all comparisons
  of the table. **tie**: p is {LEVEL:g} or more, so that the difference may be chance.
"""

_PROMISES = f"""`score_` and `score_interval_` are known before any test row is.

- **coverage**: how often the score on the test rows lies in the 90% interval.
- **bias**: the score foretold less that of the test rows, on average; **width**: that of the interval.
- **worst, well populated**: the worst difference to no tuning if every class has {WELL_POPULATED} or more tuning rows.
- **x {EXACT}**: how many times longer a fit takes than that of the in-sample optimum, the median over the problems."""


def write_table(path: Path, tables: Sequence[Table], methods: Mapping[str, Rival], *, command: str) -> None:
    """Write the page."""
    parts = [
        _INTRODUCTION,
        f"Made by `{command}`. {_problems(tables)} {_libraries(tables)}",
        f"**{sentences(tables)[0]}**",
        *(_section(table) for table in tables),
        _promises(tables),
        "## The methods\n\n" + _methods(tables, methods),
    ]
    path.write_text("\n\n".join(part.strip() for part in parts if part) + "\n")


def _problems(tables: Sequence[Table]) -> str:
    """Return how many problems there are and what they are made of."""
    problems = {results.path: results for table in tables for results in table.problems}.values()
    models = sorted({results.model for results in problems})
    sets, seeds = len({results.data for results in problems}), len({results.seed for results in problems})
    return f"{len(problems)} problems: {sets} data sets, up to {seeds} seeds, models {', '.join(models)}."


def _libraries(tables: Sequence[Table]) -> str:
    found = {v for table in tables for line in table.lines for v in line.versions.split(", ")}
    found |= {f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn")}
    return f"Versions: Python {platform.python_version()}, {', '.join(sorted(found))}."


def _title(table: Table) -> str:
    return f"{table.group.capitalize()}, {METRICS[table.metric]}"


def sentences(tables: Sequence[Table]) -> list[str]:
    """Return who is ahead of the default, who ties, who is behind: over all tables first, then for each."""
    compared = [table for table in tables if table.default is not None]
    if not compared:
        return ["The default has not been run."]
    return [_overall(compared), *(f"{_title(table)}: {_verdict(table)}" for table in compared)]


def _overall(tables: Sequence[Table]) -> str:
    rivals = [line for table in tables for line in table.rivals if not math.isnan(line.p_holm)]
    decided = [line for line in rivals if not line.ties_with_default]
    behind = sum(line.difference > 0 for line in decided)
    best_mean = sum(not _better_mean(table) for table in tables)
    best_rank = sum(not _better_rank(table) for table in tables)
    default = tables[0].default
    assert default is not None
    return (
        f"{default.name} has the best mean in {best_mean} of {len(tables)} tables and the best mean rank in "
        f"{best_rank}. Of {len(rivals)} comparisons it is ahead beyond chance in {behind}, behind beyond chance in "
        f"{len(decided) - behind}; {len(rivals) - len(decided)} are ties."
    )


def _better_mean(table: Table) -> list[Line]:
    """Return whose score is better on average, where both ran."""
    return sorted((line for line in table.rivals if line.difference < 0), key=lambda line: line.difference)


def _better_rank(table: Table) -> list[Line]:
    default = table.default
    assert default is not None
    return [line for line in table.rivals if line.rank < default.rank]


def _verdict(table: Table) -> str:
    default = table.default
    assert default is not None
    ahead = [f"{line.name} (by {-line.difference:.4f}, {_p(line)})" for line in _better_mean(table)]
    ranked = [f"{line.name} ({line.rank:.2f})" for line in _better_rank(table)]
    decided = [line for line in table.rivals if line.p_holm < LEVEL]
    ties = [line.name for line in table.rivals if line.ties_with_default]
    return (
        f"{default.name}: mean {default.mean:.4f}, rank {default.rank:.2f} of {len(table.lines)}. "
        f"Better on average: {_listed(ahead)}. Better by rank: {_listed(ranked)}. "
        f"Ahead of it beyond chance: {_listed([line.name for line in decided if line.difference < 0])}. "
        f"Behind it beyond chance: {_listed([line.name for line in decided if line.difference > 0])}. "
        f"Ties: {'all' if len(ties) == len(table.rivals) else _listed(ties)}."
    )


def _listed(names: Sequence[str]) -> str:
    return "; ".join(names) or "none"


def _section(table: Table) -> str:
    """Return a table and the notes to it."""
    some_failed = any(line.ran < len(table.problems) for line in table.lines)
    head = ["method", "mean", "rank", "worse", "worst", "ms", "default ahead by", "won/tied/lost", "p"]
    if some_failed:
        head.insert(2, "mean where all ran")
    rows = [_row(line, table, common=some_failed) for line in table.lines]
    shape = f"{len(table.problems)} problems from {table.n_sets} data sets."
    verdict = "" if table.default is None else _verdict(table)
    return "\n\n".join([f"## {_title(table)}", f"{shape} {verdict}", _markdown(head, rows), _notes(table)])


def _row(line: Line, table: Table, *, common: bool) -> list[str]:
    is_default = line.method == table.against
    mark = "" if line.ran == len(table.problems) else "†"
    against = ["-"] * 3
    if not (is_default or math.isnan(line.difference)):
        against = [f"{line.difference:+.4f}", f"{line.wins}/{line.ties}/{line.losses}", _p(line)]
    return [
        f"**{line.name}**" if is_default else line.name,
        f"{line.mean:.4f}{mark}",
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
    return f"tie, {shown}" if line.ties_with_default else shown


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    rule = ["---"] + ["--:" if numbers else "---"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def _notes(table: Table) -> str:
    """Return who failed, who was stopped and who takes no part, with the reasons."""
    notes, total = [], len(table.problems)
    for line in table.lines:
        for mark, reasons in (("† ", line.failed | line.not_offered), ("", line.stopped)):
            notes += [
                f"- {mark}{line.name}: {reason} on {count} of {total} problems." for reason, count in reasons.items()
            ]
    notes += [f"- Takes no part: {name} ({'; '.join(reasons)})." for name, reasons in table.absent.items()]
    return "\n".join(notes)


def _promises(tables: Sequence[Table]) -> str:
    """Return how the scores that a method foretells compare with those that came."""
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
        if line.promises
    ]
    if not rows:
        return ""
    head = ["method", "problems and metric", "coverage", "bias", "width", "worst, well populated", f"x {EXACT}"]
    return "\n\n".join(["## Scores foretold", _PROMISES, _markdown(head, rows)])


def _methods(tables: Sequence[Table], methods: Mapping[str, Rival]) -> str:
    """Return each method that is in some table, its version, and what it does: the first line of its docstring."""
    versions = {line.method: line.versions for table in tables for line in table.lines}
    rows = [
        [methods[method].name, versions[method], (type(methods[method]).__doc__ or "").splitlines()[0]]
        for method in methods
        if method in versions
    ]
    return _markdown(["method", "version", "what it does"], rows, numbers=False)
