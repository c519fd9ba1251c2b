"""The command line: ``python -m skimbalance scores.csv`` tunes offsets for a table of scores and labels.

``python -m skimbalance --help`` lists the options.
"""

import csv
import importlib.util
import os
import re
import sys
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skimbalance import OffsetTuner, __version__
from skimbalance._cli import (
    CommandError,
    LabelColumns,
    Offsets,
    Table,
    classes_of,
    constraint_of,
    cost_of,
    label_among,
    named_constraint,
    objective_of,
    prior_of,
    read_table,
    reject_label_of,
    score_columns,
)
from skimbalance._core.decision import KINDS
from skimbalance._core.typing import Label
from skimbalance._core.validation import abridged_list, label_values
from skimbalance.estimation import ESTIMATES
from skimbalance.solvers import SOLVERS

__all__ = ["main"]

_EXAMPLES = (
    "examples:",
    "python -m skimbalance scores.csv --objective f1_macro --out offsets.json",
    "python -m skimbalance scores.csv --objective precision --constraint 'recall[fraud]>=0.9@0.95'",
    "python -m skimbalance new.csv --apply offsets.json --out decisions.csv",
)

_FIGURES = (".png", ".pdf", ".svg")

_OF_A_FIT = (
    *("label", "classes", "kind", "objective", "cost_matrix", "constraint", "reject_label", "pos_label", "weights"),
    *("groups", "class_prior", "estimate", "solver", "certify_on", "seed", "n_jobs", "verbose", "figure"),
)
"""Options that have no meaning with --apply."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code: 0, or 2 with a message for arguments that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _show_warning
            (_fit if options.apply is None else _apply)(options)
            sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CommandError, OSError, TypeError, ValueError) as error:
        text = str(error) if isinstance(error, CommandError) else _as_options(str(error))
        print(f"skimbalance: error: {text}", file=sys.stderr)
        return 2
    return 0


def _say(text: str) -> None:
    """Print a text; the fit goes on where no program reads the output to its end, as with `| head`."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m skimbalance",
        description="Tune one offset per class on scores of samples that the classifier was not trained on.",
        epilog="\n  ".join(_EXAMPLES),
        formatter_class=RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("table", type=Path, help="file of scores and labels: CSV (also .gz), npz or Parquet")
    add(
        "--label",
        metavar="NAMES",
        help="column of labels; default: the only one of text, or named label or y. "
        "Several columns of 0 and 1, such as 'has_*', are multilabel targets",
    )
    add("--columns", metavar="NAMES", help="columns of scores, such as p_no,p_yes or 'p_*'; default: all others")
    add("--classes", metavar="LABELS", help="class of each column of scores; default: by names, else sorted labels")
    add("--kind", choices=KINDS, help="kind of the scores; default: proba")
    add("--objective", metavar="METRIC", help="such as f1_macro or fbeta:2; default: balanced_accuracy")
    add("--cost-matrix", type=Path, metavar="FILE", help="CSV or JSON file of costs to minimise: a line for each class")
    add("--constraint", action="append", metavar="BOUND", help="such as 'recall[fraud]>=0.9@0.95'; may be repeated")
    add("--reject-label", metavar="LABEL", help="decision on rejected samples, with a constraint on decided ones")
    add("--pos-label", metavar="LABEL", help="positive class of a binary metric; default: the second class")
    add("--weights", metavar="NAME", help="column of sample weights")
    add("--groups", metavar="NAME", help="column of groups of dependent samples")
    add("--class-prior", metavar="PRIOR", help="class prior of unseen data, such as fraud=0.01,fine=0.99")
    add("--estimate", choices=sorted(ESTIMATES), help="default: robust")
    add("--solver", choices=["auto", *SOLVERS], help="default: auto")
    add("--certify-on", type=float, metavar="PROPORTION", help="part of the samples that certifies constraints")
    add("--seed", type=int, metavar="INT", help="seed of the fit; default: 0")
    add("--n-jobs", type=int, metavar="INT", help="number of threads")
    add("--verbose", action="store_true", default=None, help="print progress")
    add(
        "--apply", type=Path, metavar="OFFSETS", help="decide the samples of the table with offsets of an earlier --out"
    )
    add("--keep", metavar="NAMES", help="with --apply: columns to write beside the decision, such as an id")
    add("--out", type=Path, metavar="FILE", help="offsets as JSON; with --apply decisions as CSV, default: printed")
    add("--figure", type=Path, metavar="FILE", help="figure of each class, as .png, .pdf or .svg; needs matplotlib")
    add("--skip-missing", action="store_true", help="leave out samples with missing values instead of an error")
    add("--no-header", action="store_true", help="the CSV file has no names of columns: they are 1, 2, 3, ...")
    add("--delimiter", metavar="CHARACTER", help="between the cells of a CSV file; default: , ; tab or |")
    add("--decimal", choices=[".", ","], help="decimal sign of a CSV file; default: a point")
    add("--version", action="version", version=__version__)
    return parser


def _fit(options: Namespace) -> None:
    """Fit offsets, print the report, and write offsets and figure."""
    if options.keep is not None:
        raise CommandError("--keep goes with --apply")
    bounds = [constraint_of(text) for text in options.constraint or ()]
    _check_files(options)
    samples = _samples(options)
    tuner = OffsetTuner(
        _objective(options, samples),
        constraints=[named_constraint(bound, samples.classes) for bound in bounds],
        **_settings(options, samples.classes),
    ).fit(samples.scores, samples.y, classes=samples.classes, sample_weight=samples.weights, groups=samples.groups)
    written = _write_fit(options, tuner, samples.names)
    _say(str(tuner.report()))
    if written:
        _say("".join(f"\n{line}" for line in written))


class _Samples(NamedTuple):
    """The scores of a table, the labels (n,) or their indicator (n, L), and the class of each column of scores."""

    scores: Any
    y: Any
    names: list[str]
    classes: list[Label]
    is_multilabel: bool
    weights: Any
    groups: Any


def _samples(options: Namespace) -> _Samples:
    """Read the samples of a fit, and print which column is what."""
    table = _table(options)
    columns = table.label_columns(options.label)
    for option in ("weights", "groups"):
        if (name := getattr(options, option)) is not None:
            table.names(name, option=f"--{option}")
    others = [*columns.names, *(name for name in (options.weights, options.groups) if name is not None)]
    kept = table.kept(others, skip=options.skip_missing)
    labels = _labels(table, columns, kept)
    is_multilabel = columns.labels is not None
    names, classes = score_columns(table, options.columns, besides=others, labels=labels, is_multilabel=is_multilabel)
    kept &= table.kept(names, skip=options.skip_missing)
    scores = table.numbers(names, kept, option="--columns")
    if options.classes is not None or classes is None or scores.ndim == 1:
        classes = _classes(options, table, names, scores, labels)
    _print_columns(columns, names, classes, n_samples=int(kept.sum()), n_skipped=int((~kept).sum()))
    return _Samples(
        scores,
        table.indicator(columns, kept, classes=classes) if is_multilabel else table.labels(columns.names[0], kept),
        names,
        classes,
        is_multilabel,
        weights=None if options.weights is None else table.numbers([options.weights], kept, option="--weights"),
        groups=None if options.groups is None else table.labels(options.groups, kept),
    )


def _labels(table: Table, columns: LabelColumns, kept: Any) -> list[Label]:
    """Return the labels of the columns: the distinct ones of one column, or one for each column of an indicator."""
    if columns.labels is not None:
        return list(columns.labels)
    labels: list[Label] = label_values(np.unique(table.labels(columns.names[0], kept)))
    if len(labels) < 2:
        raise CommandError(
            f"--label must name a column of at least two labels; {columns.names[0]!r} holds {labels[0]!r} alone"
        )
    return labels


def _objective(options: Namespace, samples: _Samples) -> Any:
    """Return the objective: a name, a metric, or the costs in a file."""
    if options.cost_matrix is None:
        return "balanced_accuracy" if options.objective is None else objective_of(options.objective)
    if options.objective is not None:
        raise CommandError("--cost-matrix is an objective of its own: leave --objective out")
    return cost_of(options.cost_matrix, None if samples.is_multilabel else samples.classes)


def _settings(options: Namespace, classes: list[Label]) -> dict[str, Any]:
    """Return the other parameters of the tuner that were given."""
    positive, prior, reject = options.pos_label, options.class_prior, options.reject_label
    settings = {
        "kind": options.kind,
        "reject_label": None if reject is None else reject_label_of(reject, classes),
        "pos_label": None if positive is None else label_among(positive, classes, option="--pos-label"),
        "class_prior": None if prior is None else prior_of(prior, classes),
        "estimate": options.estimate,
        "solver": options.solver,
        "certify_on": options.certify_on,
        "random_state": options.seed,
        "n_jobs": options.n_jobs,
        "verbose": options.verbose,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _classes(options: Namespace, table: Table, names: list[str], scores: Any, labels: list[Label]) -> list[Label]:
    """Return the class of each column, where names do not determine it."""
    if options.classes is None and table.classes is not None:
        return label_values(table.classes)
    return classes_of(names, scores, labels, chosen=options.classes, pos_label=options.pos_label)


def _print_columns(
    columns: LabelColumns, names: list[str], classes: list[Label], *, n_samples: int, n_skipped: int
) -> None:
    """Print which column is what, as far as it was not named."""
    skipped = f", {n_skipped:,} with missing values left out" if n_skipped else ""
    where = repr(columns.names[0]) if len(columns.names) == 1 else abridged_list(list(columns.names))
    _say(f"{n_samples:,} samples{skipped}; labels in {where}")
    by_class = names if len(names) == len(classes) else [f"column {k + 1} of {names[0]!r}" for k in range(len(classes))]
    if len(names) == 1 and len(classes) == 2 and columns.labels is None:
        by_class, classes = names, classes[1:]
    shown = [f"  {column} is the score of {each}" for column, each in zip(by_class, classes, strict=False)]
    _say("\n".join(shown[:8] + ([f"  ... {len(shown)} classes in all"] if len(shown) > 8 else [])) + "\n")


def _write_fit(options: Namespace, tuner: OffsetTuner, names: list[str]) -> list[str]:
    """Write offsets and figure, and return a line on each."""
    written = []
    if options.out is not None:
        Offsets.of(tuner, names).write(options.out)
        written.append(f"Offsets: {options.out}")
    if options.figure is not None:
        os.environ.setdefault("MPLBACKEND", "agg")
        from skimbalance.plotting import ClassProfileDisplay

        ClassProfileDisplay.from_estimator(tuner).figure_.savefig(options.figure)
        written.append(f"Figure: {options.figure}")
    return written


def _apply(options: Namespace) -> None:
    """Decide the samples of a table with saved offsets."""
    given = [name for name in _OF_A_FIT if getattr(options, name) is not None]
    if given:
        raise CommandError(f"--{given[0].replace('_', '-')} has no effect with --apply: the offsets are fitted already")
    _check_files(options)
    offsets = Offsets.read(options.apply)
    table = _table(options)
    names = offsets.columns(table, options.columns)
    ids = [] if options.keep is None else table.names(options.keep, option="--keep")
    kept = table.kept(names, skip=options.skip_missing)
    decided = np.full((len(kept), len(offsets.decision_names)), "", dtype=object)
    found = offsets.decide(table.numbers(names, kept, option="--columns")).reshape(-1, decided.shape[1])
    decided[kept] = [[str(label) for label in label_values(line)] for line in found]
    with (
        nullcontext(sys.stdout) if options.out is None else options.out.open("w", encoding="utf-8", newline="") as file
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*ids, *offsets.decision_names])
        writer.writerows(zip(*(table.text(name) for name in ids), *decided.T, strict=True))


def _table(options: Namespace) -> Table:
    delimiter = {"\\t": "\t", "tab": "\t"}.get(options.delimiter, options.delimiter)
    if delimiter is not None and len(delimiter) != 1:
        raise CommandError(f"--delimiter must be one character; got {delimiter!r}")
    return read_table(options.table, delimiter=delimiter, header=not options.no_header, decimal=options.decimal or ".")


def _check_files(options: Namespace) -> None:
    """Raise before a fit if a file cannot be written after it."""
    for name in ("out", "figure"):
        path = getattr(options, name)
        if path is not None and not path.parent.is_dir():
            raise CommandError(f"--{name} must lie in an existing folder; got {path}")
    if options.figure is not None and options.figure.suffix.lower() not in _FIGURES:
        raise CommandError(f"--figure must end in {', '.join(_FIGURES)}; got {options.figure}")
    if options.figure is not None and importlib.util.find_spec("matplotlib") is None:
        raise CommandError("--figure needs matplotlib (pip install matplotlib), which is not installed")


def _as_options(message: str) -> str:
    """Return an error of the package with its arguments written as options."""
    message = message.replace("'random_state'", "'seed'").replace("sample_weight", "--weights")
    message = re.sub(r"\bFBeta\(([\d.]+)\)", r"fbeta:\1", message)
    message = re.sub(r"^The '(\w+)' parameter of OffsetTuner ", r"\1 ", message)
    names = "objective|kind|reject_label|pos_label|class_prior|estimate|solver|certify_on|classes|n_jobs|groups|seed"
    return re.sub(rf"\b({names})=|^({names})(?= )", lambda match: _option(match[1] or match[2], match[0]), message)


def _option(name: str, text: str) -> str:
    """Return the option of an argument, with a space where the text has an equals sign."""
    return f"--{name.replace('_', '-')}{' ' if text.endswith('=') else ''}"


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"skimbalance: warning: {_as_options(str(message))}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
