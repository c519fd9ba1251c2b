"""The page on many data sets, and its critical-difference diagrams."""

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.leaderboard.by_source import DEFAULT, TIE, Row, group_of, means_by_source
from benchmarks.leaderboard.results import Results
from benchmarks.leaderboard.table import METRICS as METRIC_NAMES
from benchmarks.script import markdown
from benchmarks.significance import LEVEL

__all__ = ["page", "picture"]

SHORT = {
    "untuned": "argmax",
    "prior": "-log prior",
    "tau": "tau",
    "tau_signed": "signed tau",
    "robust": "skimbalance",
    "plugin": "skimbalance plugin",
    "empirical": "in-sample optimum",
    "sigmoid": "sigmoid",
    "isotonic": "isotonic",
    "temperature": "temperature",
    "cw_plugin": "CWPlugin",
    "repair": "REPAIR",
    "threshold_opt": "threshold_opt",
    "sklearn": "scikit-learn",
    "sklearn_1000": "scikit-learn 1,000",
    "autogluon": "AutoGluon",
    "tabpfn": "TabPFN",
    "fairlearn": "Fairlearn",
    "empulse": "empulse",
    "ghost": "GHOST",
    "optimal_cutoffs": "optimal_cutoffs",
    "xcolumns": "xCOLUMNs",
}

COMMAND = """python -m benchmarks.leaderboard.many --data FOLDER --csv benchmarks/results/many.csv \\
    --runs benchmarks/results/many_runs.csv --table docs/many_data_sets.md --picture docs/many_data_sets.png"""

COLUMNS = (
    "method",
    "mean",
    "rank",
    "difference",
    "95% interval",
    "effect",
    "wins/ties/losses",
    "p",
    "verdict",
    "unseen",
)

PANELS = (
    ("binary", "f1"),
    ("binary", "matthews_corrcoef"),
    ("multiclass", "f1_macro"),
    ("multiclass", "matthews_corrcoef"),
)
"""The tables that have a diagram."""

HEAD = f"""# Many data sets

Does tuning with skimbalance give better decisions on data sets in general? Here each **source of data is one
observation**, whatever the number of problems made from it. Scores are those of unseen data.

**The data.** {{counts}}. Sources from packages are unseen: the default was not developed on
them. The others are those of the [leaderboard](leaderboard.md). Each tabular source has a logistic regression and
LightGBM, trained on up to 2,500 samples. Nets, a language model and labels of multilabel data have one model each.
There is one split of each. `benchmarks/leaderboard/unseen.py` and `packaged.py` have the rules of the selection. They
leave out derivatives of one source. The data sets of imbalanced-learn and Fairlearn are not included: their packages
download them.

**The statistics.** The score of a source is the mean over its problems.

- **rank**: mean rank among the methods that ran on all problems of the table.
- **difference**: mean score of the default minus that of the method, with a 95% bootstrap interval over the sources.
- **effect**: the matched-pairs rank-biserial correlation, 1 if the default is better on all sources, -1 if it is worse.
- **wins/ties/losses**: sources with a higher, equal or lower score of the default; up to {TIE:g} apart is a tie.
- **p**: Wilcoxon's signed-rank test, with Holm's correction for the comparisons of the table.
- **verdict**: better or worse if p is below {LEVEL:g}, and a tie if it is not.
- **unseen**: the difference on the sources that the default was not developed on.
"""

DIAGRAMS = f"""The diagrams show mean ranks, the best on the left. Methods that a bar joins do not differ significantly,
by Nemenyi's test at {LEVEL:g}."""


def page(rows: Sequence[Row], *, picture: str) -> str:
    """Return the page with a section for each table."""
    tables = [list(lines) for _, lines in groupby(rows, key=lambda row: (row.group, row.metric))]
    largest = {lines[0].group: lines[0] for lines in tables}
    counts = "; ".join(f"{name}: {row.sources} sources, {row.unseen} unseen" for name, row in largest.items())
    versions = sorted({version for row in rows for version in row.versions.split(", ") if version})
    parts = [
        HEAD.format(counts=counts.capitalize()).strip(),
        f"```bash\n{COMMAND}\n```",
        f"Versions: {', '.join(versions)}.",
        "\n".join(f"- {_sentence(lines)}" for lines in tables),
        DIAGRAMS,
        f"![Critical-difference diagrams]({picture})",
        *(_section(lines) for lines in tables),
    ]
    return "\n\n".join(parts) + "\n"


def _sentence(lines: Sequence[Row]) -> str:
    """Return the verdicts of a table."""
    found = {verdict: [SHORT.get(r.method, r.method) for r in lines if r.verdict == verdict] for verdict in _VERDICTS}
    told = [f"{verdict} {word} {', '.join(found[verdict]) or 'none'}" for verdict, word in _VERDICTS.items()]
    return f"{_title(lines[0])}, {lines[0].sources} sources: the default is {'; '.join(told)}."


_VERDICTS = {"better": "than", "tie": "with", "worse": "than"}


def _title(row: Row) -> str:
    return f"{row.group.capitalize()}, {METRIC_NAMES[row.metric]}"


def _section(lines: Sequence[Row]) -> str:
    first = lines[0]
    about = f"{first.sources} sources, {first.unseen} of them unseen, with {first.problems} problems."
    friedman = f"Friedman's test: p = {first.friedman_p:.1g}."
    nemenyi = f"Nemenyi's critical difference of mean ranks: {first.critical_difference:.2f}."
    table = markdown(COLUMNS, [_cells(row) for row in lines])
    notes = [
        f"- † {row.name}: no score on {row.sources - row.ran} sources ({row.failures})."
        for row in lines
        if row.failures
    ]
    return "\n\n".join(
        [f"## {_title(first)}", f"{about} {friedman} {nemenyi}", table, *filter(None, ["\n".join(notes)])]
    )


def _cells(row: Row) -> list[str]:
    partial = "" if row.ran == row.sources else "†"
    shown = [f"{row.mean:.4f}{partial}", "-" if math.isnan(row.rank) else f"{row.rank:.2f}"]
    if row.method == DEFAULT:
        return [f"**{row.name}**", *shown, *["-"] * 7]
    p = "< .001" if row.p_holm < 0.001 else f"{row.p_holm:.2g}"
    interval = f"[{row.low:+.4f}, {row.high:+.4f}]"
    counts = f"{row.wins}/{row.ties}/{row.losses}"
    fresh = f"{row.difference_unseen:+.4f}"
    return [row.name, *shown, f"{row.difference:+.4f}", interval, f"{row.effect:+.2f}", counts, p, row.verdict, fresh]


def picture(path: Path, problems: Sequence[Results], methods: Sequence[str]) -> None:
    """Draw a critical-difference diagram for each group and metric."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    panels = [(*panel, group_of(problems, *panel)) for panel in PANELS]
    figure, axes = plt.subplots(len(panels), 1, figsize=(9, 3.1 * len(panels)), squeeze=False)
    for (group, metric, found), axis in zip(panels, axes[:, 0], strict=True):
        _, means = means_by_source(found, metric, methods)
        complete = np.flatnonzero(~np.isnan(means).any(0))
        _diagram(axis, means[:, complete], [SHORT.get(methods[place], methods[place]) for place in complete])
        axis.set_title(f"{group}, {METRIC_NAMES[metric]}: mean ranks on {len(means)} sources", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _diagram(axis: Any, means: npt.NDArray[np.float64], names: list[str]) -> None:
    import pandas as pd
    from scikit_posthocs import critical_difference_diagram, posthoc_nemenyi_friedman

    frame = pd.DataFrame(means.round(9), columns=names)
    ranks = frame.rank(axis=1, ascending=False).mean()
    colours = {name: "tab:blue" if name.startswith("skimbalance") else "dimgray" for name in names}
    critical_difference_diagram(
        ranks, posthoc_nemenyi_friedman(frame), ax=axis, label_props={"fontsize": 8}, color_palette=colours
    )
