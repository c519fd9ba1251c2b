"""Plant faults that a careless change could make, one at a time, and print which of them the tests detect.

Run from the root of the repository: `python tests/mutations.py`. The exit code is 1 if more than one fault stays
undetected, and 2 if the text of a fault is no longer found once, or tests fail without any fault.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MISSES_ALLOWED = 1


@dataclass(frozen=True)
class Fault:
    """A regular expression that matches once in a folder of the package, what replaces it, and the tests to run."""

    what: str
    folder: str
    pattern: str
    replacement: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "a tie goes to the first class",
        "_core",
        r"scores\[:, 1\] - scores\[:, 0\] >= cut",
        "scores[:, 1] - scores[:, 0] > cut",
        ("properties/test_decision_rule.py",),
    ),
    Fault(
        "weights are dropped from predicted counts",
        "metrics",
        r"predicted=count_codes\(decisions, self\.weight\(samples\)",
        "predicted=count_codes(decisions, None",
        ("unit/metrics",),
    ),
    Fault(
        "beta weighs precision in place of recall",
        "metrics",
        r"predicted \+ squared \* support",
        "squared * predicted + support",
        ("unit/metrics",),
    ),
    Fault(
        "costs of samples lose their weights",
        "metrics",
        r"return each if self\.weights is None else each \* self\.weights\[samples\]",
        "return each",
        ("unit/metrics/test_sample_cost.py",),
    ),
    Fault(
        "a budget is not kept by the mean of offsets",
        "estimation",
        r"satisfy_shares\(problem, estimate\.fit\(problem, spec\)\)",
        "estimate.fit(problem, spec)",
        ("integration/test_budget.py",),
    ),
    Fault(
        "the cost matrix is transposed",
        "metrics",
        r"bring\(self\._cells, ",
        "bring(self._cells.T, ",
        ("unit/metrics",),
    ),
    Fault(
        "an upper bound of a constraint has the wrong sign",
        "metrics",
        r"max\(self\.low - value, value - self\.high\)",
        "max(self.low - value, self.high - value)",
        ("unit/solvers/test_requirements.py",),
    ),
    Fault(
        "the prior offsets have the wrong sign",
        "solvers",
        r"-tau \* xp\.log\(",
        "tau * xp.log(",
        ("unit/classifier/test_fixed.py",),
    ),
    Fault(
        "the binary offset is that of the other class",
        "solvers",
        r"cuts\.offsets\[0\]\] if k == 1 else",
        "cuts.offsets[0]] if k == 0 else",
        ("unit/solvers/test_line_search.py", "unit/solvers/test_requirements.py"),
    ),
    Fault(
        "a cut lies one interval too early",
        "solvers",
        r"edges\[sorted_sweep, place\], edges\[sorted_sweep, place \+ 1\]",
        "edges[sorted_sweep, place - 1], edges[sorted_sweep, place]",
        ("unit/solvers/test_line_search.py", "unit/solvers/test_requirements.py"),
    ),
    Fault(
        "samples that are left out of a binary sweep are not counted",
        "solvers",
        r"return counts \+ np\.append\(left_out",
        "return counts + 0 * np.append(left_out",
        ("unit/solvers/test_binary.py",),
    ),
    Fault(
        "an ascent takes over the best classes of another start",
        "solvers",
        r"if np\.array_equal\(at, offsets\)",
        "if at is not None",
        ("unit/solvers/test_compiled.py",),
    ),
    Fault(
        "classes are not near that an offset within its bounds makes the best",
        "solvers",
        r"block \+= rise",
        "block += 0.9 * rise",
        ("unit/solvers/test_near_pairs.py",),
    ),
    Fault(
        "rounding makes no class near",
        "solvers",
        r" - rounding \* xp\.abs\(value\)",
        "",
        ("unit/solvers/test_near_pairs.py",),
    ),
    Fault(
        "samples without near pairs are not counted",
        "solvers",
        r"settled=\(_wide\(settled\.hits\)",
        "settled=(0 * _wide(settled.hits)",
        ("unit/solvers/test_near_pairs.py",),
    ),
    Fault(
        "bootstraps in turn have the pairs of another ascent",
        "estimation",
        r"mixed\.known\.pop\(",
        "mixed.known.get(",
        ("unit/solvers/test_near_pairs.py",),
    ),
    Fault(
        "samples are ordered by margin where training folds are not merged",
        "estimation",
        r" or fewest <= _UNMERGED",
        "",
        ("properties/test_order.py", "unit/estimation/test_condense.py"),
    ),
    Fault(
        "offsets are fitted on the fold that they are judged on",
        "estimation",
        r"fold_of != fold\b",
        "fold_of == fold",
        ("unit/estimation/test_cross_fit.py",),
    ),
    Fault(
        "folds are not stratified",
        "estimation",
        r"order = shuffled\[np\.argsort\(small_codes\(codes, n_classes\)\[shuffled\], kind=\"stable\"\)\]",
        "order = shuffled",
        ("unit/estimation/test_cross_fit.py",),
    ),
    Fault(
        "a loss is taken for a gain",
        "estimation",
        r"1 \+ expected / error",
        "1 - expected / error",
        ("unit/estimation/test_cross_fit.py",),
    ),
    Fault(
        "the variance of the jackknife lacks a factor",
        "estimation",
        r"\(n_folds - 1\) \*\* 2 / n_folds",
        "(n_folds - 1) / n_folds",
        ("unit/estimation/test_cross_fit.py",),
    ),
)


def planted(fault: Fault) -> tuple[Path, str]:
    """Return the file of a fault, relative to the package, and its text with the fault."""
    found = []
    for path in sorted((ROOT / "skimbalance" / fault.folder).rglob("*.py")):
        text, n_found = re.subn(fault.pattern, lambda _: fault.replacement, path.read_text("utf-8"))
        found += [(path.relative_to(ROOT), text)] * n_found
    if len(found) != 1:
        print(f"{fault.what}: {fault.pattern!r} matches {len(found)} times in skimbalance/{fault.folder}, not once")
        sys.exit(2)
    return found[0]


def run(tests: tuple[str, ...], *, folder: Path) -> subprocess.CompletedProcess:
    """Run tests against the package in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *(f"tests/{name}" for name in tests)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )


def main() -> int:
    """Plant each fault, print what the tests make of it, and return the exit code."""
    changed = [planted(fault) for fault in FAULTS]  # all texts must be there before the first test runs
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in ("skimbalance", "tests", "docs", "examples"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        for tests in sorted({fault.tests for fault in FAULTS}):
            if (done := run(tests, folder=folder)).returncode:
                print(f"{', '.join(tests)}: fails without any fault\n{done.stdout[-2000:]}")
                return 2
        missed = 0
        for fault, (path, text) in zip(FAULTS, changed, strict=True):
            original = (folder / path).read_text("utf-8")
            (folder / path).write_text(text, "utf-8")
            done = run(fault.tests, folder=folder)
            (folder / path).write_text(original, "utf-8")
            missed += done.returncode != 1
            failed = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
            print(f"{'detected' if done.returncode == 1 else 'MISSED  '}  {fault.what}  {' '.join(failed)}", flush=True)
    print(f"{len(FAULTS) - missed} of {len(FAULTS)} detected")
    return 1 if missed > MISSES_ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
