"""The page of the paper's experiment; all figures and verdicts are computed from the results."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.leaderboard.summary import LEVEL
from benchmarks.paper import text
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
from benchmarks.script import markdown
from benchmarks.studies import text as text_study

__all__ = ["report"]

TITLES = {
    "accuracy": "Accuracy on balanced test samples",
    "f1": "F1 of the minority class, macro-F1 with ten classes; test samples weighted to the training imbalance",
    "geometric_mean": "Geometric mean of the recalls",
}
SHORT = {"accuracy": "balanced accuracy", "f1": "F1 / macro-F1", "geometric_mean": "G-mean"}
FEW_SEEDS = 5
TEXT_RESULTS = Path(__file__).parents[1] / "results" / "text.csv"
THRESHOLD = Method("baseline", "last", "threshold")
OTHERS_OF_THE_PAPER = (Method("auto_weighting", "last", "none"), Method("baseline", "last", "transport"))
MARKS = {1: " ▲", 0: "", -1: " ▼"}


def report(found: Sequence[Line], *, epochs: int, picture: Path | None, command: str) -> str:
    """Return the page."""
    n_seeds = len({line.seed for line in found})
    scores = {objective: gathered(found, objective) for objective in OBJECTIVES}
    tables = {objective: compare(of, METHODS, OURSELVES) for objective, of in scores.items()}
    figure = [f"![Scores by imbalance]({picture.name})", text.CAPTION] if picture else []
    parts = [
        text.INTRODUCTION,
        f"Made by `{command}`: {n_seeds} seeds, {epochs} epochs of each training.",
        *figure,
        "## Results",
        _findings(tables, scores),
        "## Method",
        text.METHODS,
        _samples(scores["f1"]),
        _tests(n_seeds),
        *(f"## {TITLES[objective]}\n\n{_table(of, scores[objective])}" for objective, of in tables.items()),
        "## Other offsets on the same net",
        _same_net(scores),
        "## Which epoch?",
        _epochs(found, scores),
        "## Recall and precision of the minority class",
        _rates(found),
        "## Text",
        text.TEXT,
        text_study.summary(text_study.stored(TEXT_RESULTS)),
        "## Seconds",
        _seconds(found),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _findings(tables: dict[str, list[Row]], scores: dict[str, Scores]) -> str:
    """Return how skimbalance on the plain net compares with the other methods, over all settings; then the epochs."""
    lines = [f"- **{SHORT[objective]}**: {_verdict(rows)}" for objective, rows in tables.items()]
    lines += [f"- **By setting**: {_by_setting(scores)}", f"- **Other nets**: {_verdict_on_nets(scores)}"]
    lines += [f"- **{name_of(method)}**: {_of_the_paper(tables, method)}" for method in OTHERS_OF_THE_PAPER]
    for objective, of in scores.items():
        *others, reference = compare(of, RULES, RULES[-1])
        words = {1: "better", 0: "not significant", -1: "worse"}
        found = [
            f"{SELECTIONS[row.method.selection]}: {words[row.verdict]} ({_gain(row)}, {_p(row)})" for row in others
        ]
        against = SELECTIONS[reference.method.selection]
        lines.append(f"- **Selection of the epoch, {SHORT[objective]}**, against {against}: {'; '.join(found)}.")
    return "\n".join([*lines, "", text.LEVEL])


def _verdict(rows: Sequence[Row]) -> str:
    own = next(row for row in rows if row.method == OURSELVES)
    others = [row for row in rows if row.method != OURSELVES]

    def listed(verdict: int) -> str:
        return "; ".join(f"{name_of(row.method)} ({_gain(row)})" for row in others if row.verdict == verdict) or "none"

    return (
        f"{name_of(OURSELVES)} has a mean of {np.mean(list(own.means.values())):.4f} over the settings. Of "
        f"{len(others)} other methods, significantly better: {listed(1)}. Difference not significant: {listed(0)}. "
        f"Significantly worse: {sum(row.verdict < 0 for row in others)}."
    )


def _gain(row: Row) -> str:
    """Return the method's mean minus that of the reference."""
    return f"{-row.difference + 0.0:+.4f}"


def _by_setting(scores: dict[str, Scores]) -> str:
    """Return the default's mean minus that of threshold moving in each setting."""
    found = []
    for objective, of in scores.items():
        gains = {key: by[OURSELVES].mean() - by[THRESHOLD].mean() for key, by in of.items()}
        listed = ", ".join(f"{gain:+.3f} ({_short(key)})" for key, gain in gains.items())
        found.append(f"{SHORT[objective]} {listed}")
    return f"skimbalance minus threshold moving, on the plain net: {'; '.join(found)}."


def _verdict_on_nets(scores: dict[str, Scores]) -> str:
    """Return how often the default is better than threshold moving on the same net, and where it is worse."""
    rows = [(objective, _on_net(of, net)[1]) for objective, of in scores.items() for net in NETS]
    worse = [f"{NETS[row.method.net]} for {SHORT[o]} (by {-row.difference:.4f})" for o, row in rows if row.verdict > 0]
    return (
        f"against threshold moving on the same net, with {len(NETS)} nets and {len(scores)} metrics, skimbalance is "
        f"significantly better in {sum(row.verdict < 0 for _, row in rows)} of {len(rows)} comparisons and "
        f"significantly worse in {len(worse)} ({'; '.join(worse) or 'none'}). The difference is not significant in "
        f"{sum(row.verdict == 0 for _, row in rows)}."
    )


def _of_the_paper(tables: dict[str, list[Row]], method: Method) -> str:
    """Return a method's mean minus the default's in each setting, with the marks of the tables."""
    found = []
    for objective, rows in tables.items():
        row, own = (next(row for row in rows if row.method == one) for one in (method, OURSELVES))
        gains = [
            f"{row.means[key] - own.means[key]:+.3f}{MARKS[row.verdicts[key]]} ({_short(key)})" for key in row.means
        ]
        found.append(f"{SHORT[objective]} {', '.join(gains)}")
    return f"its mean minus that of {name_of(OURSELVES)}: {'; '.join(found)}."


def _short(key: str) -> str:
    """Return the name of a setting without a comma."""
    return SETTINGS[key].name.replace(",", "")


def _on_net(scores: Scores, net: str) -> list[Row]:
    """Compare no offsets and threshold moving with the default on the same net."""
    methods = [Method(net, "last", adjustment) for adjustment in ("none", "threshold", OURS)]
    return compare(scores, methods, methods[-1])[:-1]


def _samples(scores: Scores) -> str:
    """Return the number of samples of each class."""
    rows = []
    for key, of in scores.items():
        setting = SETTINGS[key]
        sizes = [" ".join(map(str, numbers)) for numbers in (setting.training_samples, setting.validation_samples)]
        rows.append([setting.name, *sizes, setting.test * setting.n_classes, len(of[OURSELVES])])
    head = ["setting", "training samples by class", "validation samples by class", "test samples", "seeds"]
    return markdown(head, rows)


def _tests(n_seeds: int) -> str:
    """Return the meaning of marks and columns, and the differences that so many seeds can detect."""
    if n_seeds < FEW_SEEDS:
        return f"With fewer than {FEW_SEEDS} seeds marks and p-values have no meaning."
    n_others = len(METHODS) - 1
    power = {n: (detectable(n), detectable(n, level=LEVEL / n_others)) for n in (n_seeds, FEW_SEEDS)}
    (one, strict), (few, few_strict) = power[n_seeds], power[FEW_SEEDS]
    return f"""▲ and ▼ mark methods that are significantly better or worse than {name_of(OURSELVES)} in a setting. The
test is the paired t-test over the seeds, at {LEVEL:g} after Holm's correction for the {n_others} comparisons of the
column. With {n_seeds} seeds its power is 80% for a mean difference of {one:.2f} standard deviations of the paired
differences without correction, and of {strict:.2f} at the strictest level of the correction. With {FEW_SEEDS} seeds
these are {few:.2f} and {few_strict:.2f}. So a difference may exist where there is no mark.

**difference** is skimbalance's mean over the settings minus that of the method. **wins/ties/losses** are those of
skimbalance over settings and seeds. **p** is Wilcoxon's signed-rank test of the differences of all settings and seeds,
after Holm's correction. Seeds show how results vary with the draw of the samples and with the training, not with other
images. They draw from one pool, and those of Fashion-MNIST share the test samples, so that they are not quite
independent, and p-values are somewhat too small."""


def _table(rows: Sequence[Row], scores: Scores) -> str:
    head = ["net + offsets", *(SETTINGS[key].name for key in scores), "difference", "wins/ties/losses", "p"]
    cells = []
    for row in rows:
        own = row.method == OURSELVES
        name = f"**{name_of(row.method)}**" if own else name_of(row.method)
        cells.append([name, *_means(row), *(["-"] * 3 if own else _against(row))])
    return markdown(head, cells)


def _means(row: Row) -> list[str]:
    return [f"{row.means[key]:.3f} ± {row.deviations[key]:.3f}{MARKS[row.verdicts[key]]}" for key in row.means]


def _against(row: Row) -> list[str]:
    return [f"{row.difference:+.4f}", f"{row.wins}/{row.ties}/{row.losses}", _p(row)]


def _p(row: Row) -> str:
    return "p < .001" if row.p < 0.001 else f"p = {row.p:.2g}"


def _same_net(scores: dict[str, Scores]) -> str:
    """Compare the default with no offsets and with threshold moving on each net."""
    head = ["net", "skimbalance against", *(f"{SHORT[o]}: difference, wins/ties/losses, p" for o in OBJECTIVES)]
    cells = []
    for net in NETS:
        for rows in zip(*(_on_net(of, net) for of in scores.values()), strict=True):
            against = [", ".join(_against(row)) for row in rows]
            cells.append([NETS[net], ADJUSTMENTS[rows[0].method.adjustment], *against])
    return f"{text.SAME_NET}\n\n{markdown(head, cells)}"


def _epochs(found: Sequence[Line], scores: dict[str, Scores]) -> str:
    """Compare the rules that select the epoch; the final offsets are the default's for all of them."""
    parts = [text.EPOCHS]
    for objective, of in scores.items():
        head = ["rule", *(SETTINGS[key].name for key in of), "epoch", "difference", "wins/ties/losses", "p"]
        cells = []
        for row in compare(of, RULES, RULES[-1]):
            epoch = np.mean([x.epoch for x in found if _is(x, row.method) and x.objective in OBJECTIVES[objective]])
            against = ["-"] * 3 if row.method == RULES[-1] else _against(row)
            cells.append([SELECTIONS[row.method.selection], *_means(row), f"{epoch:.1f}", *against])
        parts.append(f"**{TITLES[objective]}**\n\n{markdown(head, cells)}")
    return "\n\n".join(parts)


def _is(line: Line, method: Method) -> bool:
    return (line.net, line.selection, line.adjustment) == method


def _rates(found: Sequence[Line]) -> str:
    """Return recall and precision of the minority class, tuned for F1."""
    keys = [key for key in SETTINGS if any(line.setting == key for line in found)]
    cells = []
    for method in METHODS:
        own = [line for line in found if _is(line, method) and line.objective in OBJECTIVES["f1"]]
        of = {key: [(x.recalls[-1], x.precisions[-1]) for x in own if x.setting == key] for key in keys}
        cells.append([name_of(method), *("{:.2f} / {:.2f}".format(*np.mean(of[key], axis=0)) for key in keys)])
    head = ["net + offsets", *(SETTINGS[key].name for key in keys)]
    return f"{text.RATES}\n\n{markdown(head, cells)}"


def _seconds(found: Sequence[Line]) -> str:
    """Return the seconds of training, of tuning and of the selection of an epoch."""
    keys = [key for key in SETTINGS if any(line.setting == key for line in found)]
    kinds = {f"training: {name}": ("training_seconds", Method(net, "last", "none")) for net, name in NETS.items()}
    kinds |= {f"offsets: {name}": ("tuning_seconds", Method("baseline", "last", a)) for a, name in ADJUSTMENTS.items()}
    kinds |= {
        f"selection and skimbalance's offsets: {name}": ("tuning_seconds", Method("baseline", s, OURS))
        for s, name in SELECTIONS.items()
    }
    cells = []
    for name, (what, method) in kinds.items():
        own = {key: [getattr(x, what) for x in found if _is(x, method) and x.setting == key] for key in keys}
        cells.append([name, *(_seconds_of(own[key]) for key in keys)])
    head = ["", *(SETTINGS[key].name for key in keys)]
    return f"{text.SECONDS}\n\n{markdown(head, cells)}"


def _seconds_of(values: Sequence[float]) -> str:
    median = np.median(values)
    return f"{median:.2g}" if median >= 0.0005 else "0"
