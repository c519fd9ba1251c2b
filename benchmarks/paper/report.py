"""The results of the paper's experiment as Markdown; every figure and every verdict is computed from them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from benchmarks.paper import text
from benchmarks.leaderboard.summary import LEVEL
from benchmarks.paper.compare import (
    METHODS,
    OBJECTIVES,
    OURSELVES,
    RULES,
    Method,
    Row,
    Scores,
    compare,
    detectable,
    gathered,
    name_of,
)
from benchmarks.paper.data import SETTINGS
from benchmarks.paper.nets import NETS
from benchmarks.paper.scores import ADJUSTMENTS, OURS, SELECTIONS, Line

__all__ = ["report"]

TITLES = {
    "accuracy": "Accuracy on balanced test rows",
    "f1": "F1 of the rare class, macro-F1 with ten classes; test rows weighted to the training imbalance",
    "geometric_mean": "Geometric mean of the recalls",
}
SHORT = {"accuracy": "balanced accuracy", "f1": "F1 / macro-F1", "geometric_mean": "G-mean"}
FEW_SEEDS = 5
THRESHOLD = Method("baseline", "last", "threshold")
MARKS = {1: " ▲", 0: "", -1: " ▼"}


def report(found: Sequence[Line], *, epochs: int, picture: Path | None, command: str) -> str:
    """Return the page."""
    n_seeds = len({line.seed for line in found})
    scores = {objective: gathered(found, objective) for objective in OBJECTIVES}
    tables = {objective: compare(of, METHODS, OURSELVES) for objective, of in scores.items()}
    drawn = [f"![Scores by imbalance]({picture.name})", text.CAPTION] if picture else []
    parts = [
        text.INTRODUCTION,
        f"Made by `{command}`: {n_seeds} seeds, {epochs} epochs of each training.",
        *drawn,
        "## What came out",
        _findings(tables, scores),
        "## How it was measured",
        text.METHODS,
        _rows(scores["f1"]),
        _tests(n_seeds),
        *(f"## {TITLES[objective]}\n\n{_table(of, scores[objective])}" for objective, of in tables.items()),
        "## Other offsets on the same net",
        _same_net(scores),
        "## Which epoch?",
        _epochs(found, scores),
        "## Recall and precision of the rarest class",
        _rates(found),
        "## Seconds",
        _seconds(found),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _findings(tables: dict[str, list[Row]], scores: dict[str, Scores]) -> str:
    """Return who is ahead of skimbalance on the plain net and who is level, over all settings; then the epochs."""
    lines = [f"- **{SHORT[objective]}**: {_verdict(rows)}" for objective, rows in tables.items()]
    lines += [f"- **Where it comes from**: {_by_setting(scores)}", f"- **Other nets**: {_verdict_on_nets(scores)}"]
    rules = {objective: compare(of, RULES, RULES[-1]) for objective, of in scores.items()}
    lines += [f"- **Which epoch, {SHORT[objective]}**: {_verdict_on_rules(rows)}" for objective, rows in rules.items()]
    return "\n".join([*lines, "", text.LEVEL])


def _verdict(rows: Sequence[Row]) -> str:
    own = next(row for row in rows if row.method == OURSELVES)
    others = [row for row in rows if row.method != OURSELVES]
    return (
        f"{name_of(OURSELVES)} has a mean of {np.mean(list(own.means.values())):.4f} over the settings. Of "
        f"{len(others)} others, ahead of it beyond chance: {_listed(row for row in others if row.verdict > 0)}. "
        f"Level with it: {_listed(row for row in others if row.verdict == 0)}. "
        f"Behind it beyond chance: {sum(row.verdict < 0 for row in others)}."
    )


def _listed(rows: Iterable[Row]) -> str:
    return "; ".join(f"{name_of(row.method)} ({-row.ahead + 0.0:+.4f})" for row in rows) or "none"


def _by_setting(scores: dict[str, Scores]) -> str:
    """Return by how much the default is ahead of threshold moving in each setting."""
    found = []
    for objective, of in scores.items():
        gaps = {key: by[OURSELVES].mean() - by[THRESHOLD].mean() for key, by in of.items()}
        told = ", ".join(f"{gap:+.3f} ({SETTINGS[key].name.replace(',', '')})" for key, gap in gaps.items())
        found.append(f"{SHORT[objective]} {told}")
    return f"on the plain net, skimbalance less threshold moving: {'; '.join(found)}."


def _verdict_on_nets(scores: dict[str, Scores]) -> str:
    """Return how often the default is ahead of threshold moving on the same net, and where it is behind."""
    rows = [(objective, _on_net(of, net)[1]) for objective, of in scores.items() for net in NETS]
    behind = [f"{NETS[row.method.net]} for {SHORT[o]} (by {-row.ahead:.4f})" for o, row in rows if row.verdict > 0]
    return (
        f"against threshold moving on the same net, {len(NETS)} nets and {len(scores)} metrics, skimbalance is ahead "
        f"beyond chance in {sum(row.verdict < 0 for _, row in rows)} of {len(rows)} comparisons, level in "
        f"{sum(row.verdict == 0 for _, row in rows)}, behind in {len(behind)}: {'; '.join(behind) or 'none'}."
    )


def _on_net(scores: Scores, net: str) -> list[Row]:
    """Return no offsets and threshold moving, beside the default on the same net."""
    methods = [Method(net, "last", adjustment) for adjustment in ("none", "threshold", OURS)]
    return compare(scores, methods, methods[-1])[:-1]


def _verdict_on_rules(rows: Sequence[Row]) -> str:
    told = {1: "better", 0: "level", -1: "worse"}
    others = [
        f"{SELECTIONS[x.method.selection]}: {told[x.verdict]} ({-x.ahead + 0.0:+.4f}, {_p(x)})" for x in rows[:-1]
    ]
    return f"against {SELECTIONS[rows[-1].method.selection]}, {'; '.join(others)}."


def _rows(scores: Scores) -> str:
    """Return how many rows there are of each class."""
    rows = [
        [
            SETTINGS[key].name,
            " ".join(map(str, SETTINGS[key].training_rows)),
            " ".join(map(str, SETTINGS[key].validation_rows)),
            f"{1000 * SETTINGS[key].n_classes}",
            str(len(of[OURSELVES])),
        ]
        for key, of in scores.items()
    ]
    return _markdown(["setting", "training rows by class", "validation rows by class", "test rows", "seeds"], rows)


def _tests(n_seeds: int) -> str:
    """Return what the marks and columns mean, and what differences so many seeds can find."""
    if n_seeds < FEW_SEEDS:
        return f"With fewer than {FEW_SEEDS} seeds marks and p-values mean nothing."
    n_others = len(METHODS) - 1
    power = {n: (detectable(n), detectable(n, level=LEVEL / n_others)) for n in (n_seeds, FEW_SEEDS)}
    (one, strict), (few, few_strict) = power[n_seeds], power[FEW_SEEDS]
    return f"""▲ and ▼ mark what is better or worse than {name_of(OURSELVES)} in a setting, by the paired t-test over
the seeds, at {LEVEL:g} after Holm's correction for the {n_others} comparisons of the column. With {n_seeds} seeds the
test finds, four times in five, a mean difference of {one:.2f} standard deviations of the paired differences if it is
the only one, and of {strict:.2f} at the strictest level of the correction (with {FEW_SEEDS} seeds {few:.2f} and
{few_strict:.2f}): no mark does not mean no difference. **ahead by** is what skimbalance has more, the mean over the
settings; **won/tied/lost** counts settings and seeds, won by skimbalance; **p** is of Wilcoxon's signed-rank test on
the differences of all settings and seeds, after Holm's correction. Seeds tell how results vary with the draw of rows
and with the training, not how they would on other images; as they draw from one pool and share the test rows, they are
not quite independent, and p-values somewhat too small."""


def _table(rows: Sequence[Row], scores: Scores) -> str:
    head = ["net + offsets", *(SETTINGS[key].name for key in scores), "ahead by", "won/tied/lost", "p"]
    cells = []
    for row in rows:
        own = row.method == OURSELVES
        name = f"**{name_of(row.method)}**" if own else name_of(row.method)
        cells.append([name, *_means(row), *(["-"] * 3 if own else _against(row))])
    return _markdown(head, cells)


def _means(row: Row) -> list[str]:
    return [f"{row.means[key]:.3f} ± {row.deviations[key]:.3f}{MARKS[row.verdicts[key]]}" for key in row.means]


def _against(row: Row) -> list[str]:
    return [f"{row.ahead:+.4f}", f"{row.wins}/{row.ties}/{row.losses}", _p(row)]


def _p(row: Row) -> str:
    return "p < .001" if row.p < 0.001 else f"p = {row.p:.2g}"


def _same_net(scores: dict[str, Scores]) -> str:
    """Return what the default gains on each net over no offsets and over threshold moving."""
    head = ["net", "skimbalance against", *(f"{SHORT[o]}: ahead by, won/tied/lost, p" for o in OBJECTIVES)]
    cells = []
    for net in NETS:
        for rows in zip(*(_on_net(of, net) for of in scores.values()), strict=True):
            against = [", ".join(_against(row)) for row in rows]
            cells.append([NETS[net], ADJUSTMENTS[rows[0].method.adjustment], *against])
    return f"{text.SAME_NET}\n\n{_markdown(head, cells)}"


def _epochs(found: Sequence[Line], scores: dict[str, Scores]) -> str:
    """Return how the rules to choose the epoch compare; all get the default's offsets in the end."""
    parts = [text.EPOCHS]
    for objective, of in scores.items():
        head = ["epoch taken", *(SETTINGS[key].name for key in of), "epoch", "ahead by", "won/tied/lost", "p"]
        cells = []
        for row in compare(of, RULES, RULES[-1]):
            epoch = np.mean([x.epoch for x in found if _is(x, row.method) and x.objective in OBJECTIVES[objective]])
            against = ["-"] * 3 if row.method == RULES[-1] else _against(row)
            cells.append([SELECTIONS[row.method.selection], *_means(row), f"{epoch:.1f}", *against])
        parts.append(f"**{TITLES[objective]}**\n\n{_markdown(head, cells)}")
    return "\n\n".join(parts)


def _is(line: Line, method: Method) -> bool:
    return (line.net, line.selection, line.adjustment) == method


def _rates(found: Sequence[Line]) -> str:
    """Return recall and precision of the rarest class, tuned for F1."""
    keys = [key for key in SETTINGS if any(line.setting == key for line in found)]
    cells = []
    for method in METHODS:
        own = [line for line in found if _is(line, method) and line.objective in OBJECTIVES["f1"]]
        of = {key: [(x.recalls[-1], x.precisions[-1]) for x in own if x.setting == key] for key in keys}
        cells.append([name_of(method), *("{:.2f} / {:.2f}".format(*np.mean(of[key], axis=0)) for key in keys)])
    head = ["net + offsets", *(SETTINGS[key].name for key in keys)]
    return f"{text.RATES}\n\n{_markdown(head, cells)}"


def _seconds(found: Sequence[Line]) -> str:
    """Return what training, tuning and choosing an epoch take."""
    keys = [key for key in SETTINGS if any(line.setting == key for line in found)]
    kinds = {f"training: {name}": ("training_seconds", Method(net, "last", "none")) for net, name in NETS.items()}
    kinds |= {f"offsets: {name}": ("tuning_seconds", Method("baseline", "last", a)) for a, name in ADJUSTMENTS.items()}
    kinds |= {
        f"epoch and skimbalance's offsets: {name}": ("tuning_seconds", Method("baseline", s, OURS))
        for s, name in SELECTIONS.items()
    }
    cells = []
    for name, (what, method) in kinds.items():
        own = {key: [getattr(x, what) for x in found if _is(x, method) and x.setting == key] for key in keys}
        cells.append([name, *(_seconds_of(own[key]) for key in keys)])
    head = ["", *(SETTINGS[key].name for key in keys)]
    return f"{text.SECONDS}\n\n{_markdown(head, cells)}"


def _seconds_of(values: Sequence[float]) -> str:
    median = np.median(values)
    return f"{median:.2g}" if median >= 0.0005 else "0"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))
