"""Short tables for the documentation, out of benchmarks/results."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.significance import LEVEL, holm, signed_rank_p

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"

METRICS = {
    "f1": "F1",
    "f1_macro": "macro-F1",
    "geometric_mean": "geometric mean",
    "balanced_accuracy": "balanced accuracy",
    "matthews_corrcoef": "Matthews correlation",
}
FLOORS = {"floor: np.argsort(scores)": "an argsort", "floor: scores.argmax(1)": "an argmax pass"}
LABELS = {
    "threshold 0.5": "0.5",
    "one threshold": "one threshold",
    "MultiOutputClassifier(TunedThresholdClassifierCV)": "scikit-learn, each label",
    "optimal_cutoffs": "optimal_cutoffs",
    "optimal_cutoffs, calibrated": "optimal_cutoffs, calibrated",
    "xCOLUMNs Frank-Wolfe": "xCOLUMNs",
    "xCOLUMNs Frank-Wolfe, top start": "xCOLUMNs, top start",
    "xCOLUMNs Frank-Wolfe, calibrated": "xCOLUMNs, calibrated",
    "skimbalance, empirical": "in-sample",
    "skimbalance, plugin": "plugin",
    "skimbalance": "default",
}
END_TO_END = ", end to end"
COSTS = {
    "none": {
        "argmax": "argmax",
        "Cost(), robust": "`Cost()`",
        "Cost(), plugin": "`Cost()`, plugin",
        "Cost(means), robust": "`Cost(means)`",
        "CSThreshold, None": "CSThreshold",
        "CSThreshold, sigmoid": "CSThreshold, sigmoid",
        "CSThreshold, isotonic": "CSThreshold, isotonic",
        "CSRate": "CSRate",
        "CSLogit": "CSLogit",
    },
    "all": {
        "predict(cost_matrix)": "`predict(cost_matrix)`",
        "CSThreshold, None": "CSThreshold",
        "CSThreshold, sigmoid": "CSThreshold, sigmoid",
        "CSThreshold, isotonic": "CSThreshold, isotonic",
    },
}
OURS = {"none": "Cost(), robust", "all": "predict(cost_matrix)"}
T_OF_NINE = 2.262
TRAININGS = {
    "plain": "as it is",
    "weights": "class weights",
    "over": "random oversampling",
    "under": "random undersampling",
    "smote": "SMOTE",
}
DECISIONS = {"argmax": "argmax", "tuned": "tuned"}
RESAMPLED = {
    "bin": {"f1": "F1", "balanced_accuracy": "balanced accuracy", "matthews_corrcoef": "MCC"},
    "multi": {"f1_macro": "macro-F1", "balanced_accuracy": "balanced accuracy", "matthews_corrcoef": "MCC"},
}
WORKLOADS = {
    "f1_1e4": "F1, 10,000 rows, two classes",
    "f1_1e6": "F1, a million rows, two classes",
    "f1_macro_10000x10": "macro-F1, 10,000 rows, 10 classes",
    "f1_macro_50000x100": "macro-F1, 50,000 rows, 100 classes",
    "f1_macro_50000x1000": "macro-F1, 50,000 rows, 1,000 classes",
    "f1_macro_20000x8000": "macro-F1, 20,000 rows, 8,000 classes",
}


def write_all(folder: Path) -> None:
    """Write every table to `folder`."""
    folder.mkdir(exist_ok=True)
    made = {
        "quality.md": quality(),
        "labels.md": labels(),
        "costs.md": costs(),
        "resampling.md": resampling(),
        "speed.md": speed(),
        "chunked.md": chunked(),
    }
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def quality() -> str:
    """Return mean test scores of the leaderboard for plain scores, a line for each table."""
    lines = []
    tables: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in (row for row in _rows("leaderboard.csv") if row["family"] == "plain"):
        tables.setdefault((row["group"], row["metric"]), {})[row["method"]] = row
    for (group, metric), methods in sorted(tables.items(), key=lambda item: _order(*item[0])):
        others = [row for method, row in methods.items() if row["name"].split(",")[0].split(" (")[0] != "skimbalance"]
        best = max(others, key=lambda row: float(row["mean"] or "-inf"))
        ahead, tied, behind = _verdicts(row for method, row in methods.items() if method != "robust")
        lines.append(
            [
                f"{group.capitalize()}, {METRICS[metric]}",
                *(_score(methods.get(method)) for method in ("untuned", "empirical", "robust")),
                _score(best),
                best["name"],
                f"{ahead} / {tied} / {behind}",
            ]
        )
    head = ["problems", "untuned", "in-sample", "default", "best baseline", "which", "ahead / tied / behind"]
    return _table(head, lines, text=["which"])


def _order(group: str, metric: str) -> tuple[bool, int]:
    return group != "binary", list(METRICS).index(metric)


def _verdicts(rows: Iterable[dict[str, str]]) -> tuple[int, int, int]:
    """Count methods that the default is ahead of beyond chance, tied with, and behind."""
    signs = [
        0 if float(row["p_holm"]) >= 0.05 else (1 if float(row["difference"]) > 0 else -1)
        for row in rows
        if row["p_holm"]
    ]
    return signs.count(1), signs.count(0), signs.count(-1)


def _score(row: dict[str, str] | None) -> str:
    return f"{float(row['mean']):.4f}" if row and row["mean"] else "-"


def labels() -> str:
    """Return scores on several labels a row, a table for each average; then what trains and tunes itself."""
    rows = _rows("multilabel.csv")
    tuned = [row for row in rows if not row["data"].endswith(END_TO_END)]
    return "\n".join([_averaged(tuned, "f1_macro"), _averaged(tuned, "f1_micro"), _end_to_end(rows)])


def _averaged(rows: Iterable[dict[str, str]], metric: str) -> str:
    """Return a line for each data set and a column for each method, then the difference to the best baseline."""
    sets: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        if row["metric"] == metric:
            sets.setdefault(row["data"], {})[row["method"]] = row
    lines = []
    for data, methods in sets.items():
        others = [row for method, row in methods.items() if not method.startswith("skimbalance")]
        best = max(others, key=lambda row: float(row["score"]))
        lines.append([data, *(_marked(methods[method]) for method in LABELS), _ahead(best)])
    name = metric.removeprefix("f1_")
    return _table([f"{name}-F1", *LABELS.values(), "default minus best baseline"], lines)


def _end_to_end(rows: Iterable[dict[str, str]]) -> str:
    lines = [
        [
            row["data"].removesuffix(END_TO_END),
            "no tuning" if row["method"] == "threshold 0.5" else row["method"],
            _marked(row),
            _ahead(row) if row["low"] else "",
            f"{float(row['median ms']) / 1e3:.1f}",
        ]
        for row in rows
        if row["data"].endswith(END_TO_END)
    ]
    head = ["training and tuning, macro-F1", "method", "score", "default minus method", "seconds"]
    return _table(head, lines, text=["method"])


def _marked(row: dict[str, str]) -> str:
    """Return a score, marked where it is significantly better than the default (▲) or does not differ (=)."""
    if not row["low"] or float(row["low"]) > 0:
        return f"{float(row['score']):.4f}"
    return f"{float(row['score']):.4f} {'=' if float(row['high']) >= 0 else '▲'}"


def _ahead(row: dict[str, str]) -> str:
    return f"{float(row['default ahead by']):.4f} [{float(row['low']):.4f}, {float(row['high']):.4f}]"


def costs() -> str:
    """Return mean savings with costs of each sample, a table for unknown and one for known costs at prediction."""
    return "\n".join(_savings(known) for known in COSTS)


def _savings(known: str) -> str:
    """Return a line for each data set and model, and a column for each method."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in (row for row in _rows("costs.csv") if row["costs at prediction"] == known):
        line = found.setdefault(f"{row['data'].replace('_', ' ')}, {row['model']}", {})
        line.setdefault(row["method"], []).append(100 * float(row["savings"]))
    lines = [
        [name, *(_compared(methods.get(method), methods[OURS[known]]) for method in COSTS[known])]
        for name, methods in found.items()
    ]
    return _table([f"savings in %, costs {'un' if known == 'none' else ''}known", *COSTS[known].values()], lines)


def _compared(savings: list[float] | None, ours: list[float]) -> str:
    """Return the mean, marked where it is significantly higher (▲) or lower (▼) than ours.

    The standard error is that of Nadeau and Bengio (2003) for repeated splits in halves.
    """
    if savings is None:
        return "-"
    differences = [other - own for other, own in zip(savings, ours, strict=True)]
    mean, n = sum(differences) / len(differences), len(differences)
    error = (sum((x - mean) ** 2 for x in differences) / (n - 1) * (1 / n + 1)) ** 0.5
    mark = " ▲" if mean > T_OF_NINE * error else " ▼" if mean < -T_OF_NINE * error else ""
    return f"{sum(savings) / n:.1f}{mark}"


def resampling() -> str:
    """Return mean test scores of resampling and tuning, and in how many data sets they are better than tuning alone."""
    rows = _rows("resample_or_tune.csv")
    parts = []
    for group, metrics in RESAMPLED.items():
        columns = {metric: _trained(rows, group, metric) for metric in metrics}
        lines = [
            [TRAININGS[training], DECISIONS[decided], *(column[training, decided] for column in columns.values())]
            for training, decided in next(iter(columns.values()))
        ]
        title = "binary, training data" if group == "bin" else "multiclass, training data"
        parts.append(_table([title, "decisions", *metrics.values()], lines, text=["decisions"]))
    ranked = _means_by_set(rows, "bin", "average_precision", decisions=["argmax"])
    marked = _against(ranked, ("plain", "argmax"))
    lines = [[TRAININGS[training], text] for (training, _), text in marked.items()]
    parts.append(_table(["binary, training data", "average precision"], lines))
    return "\n".join(parts)


def _trained(rows: Iterable[dict[str, str]], group: str, metric: str) -> dict[tuple[str, str], str]:
    return _against(_means_by_set(rows, group, metric, decisions=DECISIONS), ("plain", "tuned"))


def _means_by_set(
    rows: Iterable[dict[str, str]], group: str, metric: str, *, decisions: Iterable[str]
) -> dict[tuple[str, str], list[float]]:
    """Return the mean over models and seeds, for each training and decision a number for each data set."""
    here = [row for row in rows if row["metric"] == metric and row["data"].startswith(group)]
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for training in TRAININGS:
        for decided in decisions:
            sets = found.setdefault((training, decided), {})
            for row in here:
                if row["training"] == training:
                    sets.setdefault(row["data"], []).append(float(row[decided]))
    return {method: [float(np.mean(sets[name])) for name in sorted(sets)] for method, sets in found.items()}


def _against(means: dict[tuple[str, str], list[float]], reference: tuple[str, str]) -> dict[tuple[str, str], str]:
    """Return each mean, the highest in bold, with the data sets that are better and worse than the reference.

    Wilcoxon's test compares data sets, with Holm's correction over the methods: ▲ is significantly better, ▼ worse.
    """
    differences = {name: np.subtract(each, means[reference]) for name, each in means.items() if name != reference}
    p = dict(zip(differences, holm([signed_rank_p(each) for each in differences.values()]), strict=True))
    best, texts = max(np.mean(each) for each in means.values()), {}
    for name, each in means.items():
        texts[name] = f"**{best:.3f}**" if np.mean(each) == best else f"{np.mean(each):.3f}"
        if name != reference:
            gains = differences[name]
            sign = "" if p[name] >= LEVEL else " ▲" if gains.mean() > 0 else " ▼"
            texts[name] += f" ({(gains > 0).sum()} : {(gains < 0).sum()}){sign}"
    return texts


def speed() -> str:
    """Return times as multiples of one NumPy call over the same scores, a table for each workload."""
    parts = []
    rows = _rows("speed.csv")
    for workload, title in WORKLOADS.items():
        mine = [row for row in rows if row["workload"] == workload]
        floor = next(FLOORS[row["contender"]] for row in mine if row["contender"] in FLOORS)
        lines = [
            [row["contender"], _rounded(float(row["over_floor"])), f"{float(row['value']):.4f}"]
            for row in sorted(mine, key=lambda row: float(row["over_floor"] or "inf"))
            if row["over_floor"] and row["value"]
        ]
        parts.append(_table([title, f"times {floor}", "metric reached"], lines))
    return "\n".join(parts)


def chunked() -> str:
    """Return what fits of rows in chunks took, held and reached, beside the same rows in memory."""
    lines = [
        [
            f"{METRICS[row['objective']]}, {int(row['n']):,} rows, {row['n_classes']} classes"
            + (f", {row['estimate']}" if row["estimate"] != "empirical" else "")
            + (f", a worker killed after {row['killed'].split()[-2]} s" if row["killed"] else ""),
            _rounded(float(row["seconds"])),
            _rounded(float(row["seconds_in_memory"])) if row["seconds_in_memory"] else "-",
            f"{float(row['value']):.6f}",
            f"{float(row['in_memory']):.6f}" if row["in_memory"] else "-",
            f"{float(row['peak_worker_mib']):,.0f}",
        ]
        for row in _rows("chunked.csv")
    ]
    head = ["two workers", "seconds", "seconds in memory", "value", "value in memory", "MiB, the larger worker"]
    return _table(head, lines)


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def _rows(name: str) -> list[dict[str, str]]:
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], text: Sequence[str] = ()) -> str:
    """Return a table in Markdown, whose columns but the first and those of `text` are numbers."""
    rule = ["---" if name in (head[0], *text) else "--:" for name in head]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, rule, *lines])
