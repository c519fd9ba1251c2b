"""Time to reach an imbalance state: the package's solver, gradient descent, and a solver of scipy.

``python -m benchmarks.studies.state --data FOLDER`` prints a table; see ``benchmarks/README.md``.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from benchmarks.script import markdown, options, write_csv
from skimbalance.metrics.state import balanced_weights
from skimbalance.solvers import solve_state

LEARNING_RATES = (0.1, 1.0, 10.0, 100.0, 1000.0)
TOLERANCE = 1e-8
ROUNDS = 3

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """Log-scores (n, K), the weights of the samples, and the target state."""

    name: str
    scores: Vector
    weights: Vector
    target: Vector

    def error(self, offsets: Vector) -> float:
        """Return max|P - r|, with scipy's softmax."""
        return float(np.abs(self.weights @ softmax(self.scores + offsets, axis=1) - self.target).max())


@dataclass(frozen=True)
class Result:
    """The offsets of a method, and its numbers of iterations and Hessians."""

    offsets: Vector
    iterations: int
    hessians: int = 0
    note: str = ""


def ours(task: Task) -> Result:
    """Solve with this package."""
    found = solve_state(task.scores, task.target, weights=task.weights)
    note = f"{found.n_products} products" if found.n_products else ""
    return Result(found.offsets, found.n_gradients, found.n_hessians, note)


def descend(task: Task, *, rate: float, budget_s: float) -> Result:
    """Minimise KL(r, P) by full-batch gradient descent, as in the paper, until convergence or the time limit."""
    columns = np.ascontiguousarray(task.scores.T)
    offsets, start, iterations = np.zeros(len(columns)), process_time(), 0
    while True:
        raised = columns + offsets[:, None]
        raised -= raised.max(axis=0)
        np.exp(raised, out=raised)
        raised /= raised.sum(axis=0)
        state = raised @ task.weights
        if not np.abs(state - task.target).max() > TOLERANCE or process_time() - start > budget_s:
            return Result(offsets, iterations, note=f"rate {rate:g}")
        ratio = task.target / np.maximum(state, np.finfo(float).tiny)
        offsets = offsets + rate * (ratio * state - raised @ (task.weights * (ratio @ raised)))
        iterations += 1


def loss(offsets: Vector, task: Task) -> tuple[float, Vector]:
    """Return `A(b) - r.b` and its gradient."""
    logs = task.scores + offsets
    top = logs.max(axis=1, keepdims=True)
    raised = np.exp(logs - top)
    sums = raised.sum(axis=1, keepdims=True)
    value = float(task.weights @ (top + np.log(sums))[:, 0] - task.target @ offsets)
    return value, task.weights @ (raised / sums) - task.target


def hessian(offsets: Vector, task: Task) -> Vector:
    """Return the second derivatives of the loss."""
    proba = softmax(task.scores + offsets, axis=1)
    weighted = proba * task.weights[:, None]
    curvature: Vector = np.diag(weighted.sum(axis=0)) - weighted.T @ proba
    return curvature


def trust_exact(task: Task, *, budget_s: float) -> Result:
    """Minimise the loss by scipy's trust-region method, from `log r - log P(0)`."""
    stop = process_time() + budget_s

    def late(_: Vector) -> None:
        if process_time() > stop:
            raise StopIteration

    state = loss(np.zeros(len(task.target)), task)[1] + task.target
    first = np.log(task.target) - np.log(np.maximum(state, np.finfo(float).tiny))
    options = {"gtol": TOLERANCE, "max_trust_radius": 1e3}
    parameters = {"method": "trust-exact", "jac": True, "hess": hessian, "callback": late, "options": options}
    try:
        found = minimize(loss, first, (task,), **parameters)
    except (ValueError, np.linalg.LinAlgError) as error:
        return Result(first, 0, note=f"{type(error).__name__}: the start")
    return Result(found.x, found.nfev, found.nhev)


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    problem: str
    n: int
    classes: int
    method: str
    iterations: int
    hessians: int
    seconds: float
    x_ours: float
    error: float
    note: str


def timed(run: Callable[[], Result], *, rounds: int = ROUNDS) -> tuple[Result, float]:
    """Return the result and the median processor time."""
    seconds = []
    for _ in range(rounds):
        start = process_time()
        result = run()
        seconds.append(process_time() - start)
    return result, statistics.median(seconds)


def best_descent(task: Task, *, budget_s: float) -> tuple[Result, float]:
    """Return gradient descent with its best learning rate; the time of the search for it does not count."""
    runs = [timed(lambda rate=rate: descend(task, rate=rate, budget_s=budget_s), rounds=1) for rate in LEARNING_RATES]
    return min(runs, key=lambda run: (max(task.error(run[0].offsets), TOLERANCE), run[1]))


def compare(task: Task, *, budget_s: float) -> Iterator[Line]:
    """Yield a line for each method."""
    found = {"skimbalance": timed(lambda: ours(task))}
    found["gradient descent"] = best_descent(task, budget_s=budget_s)
    found["scipy trust-exact"] = timed(lambda: trust_exact(task, budget_s=budget_s), rounds=1)
    unit = found["skimbalance"][1]
    for method, (result, seconds) in found.items():
        ratio, error = seconds / unit, task.error(result.offsets)
        counts = (result.iterations, result.hessians)
        yield Line(task.name, *task.scores.shape, method, *counts, seconds, ratio, error, result.note)


def balanced(name: str, logits: Vector, y: npt.NDArray[np.int64], target: Vector | None = None) -> Task:
    """Return the task of a class-balanced state, uniform by default."""
    n_classes = logits.shape[1]
    state = np.full(n_classes, 1 / n_classes) if target is None else target
    return Task(name, logits.astype(np.float64), balanced_weights(y, None, n_classes=n_classes), state)


def plain(name: str, logits: Vector, target: Vector) -> Task:
    """Return the task of a state with equal weights of the samples."""
    return Task(name, logits.astype(np.float64), np.full(len(logits), 1 / len(logits)), target)


def nets(folder: Path) -> Iterator[Task]:
    """Yield the tasks of real nets; the README explains how to get their logits."""
    for name in ("fashion_lt100", "banking77_lt20"):
        with np.load(folder / f"deep_{name}.npz") as data:
            logits, y = data["logits_val"], data["y_val"].astype(np.int64)
        yield balanced(f"{name}, balanced uniform", logits, y)
        yield plain(f"{name}, uniform", logits, np.full(logits.shape[1], 1 / logits.shape[1]))
    with np.load(folder / "deep_cifar10_vgg_balanced.npz") as data:
        logits = data["logits_test"]
    tail = 0.5 ** np.arange(10)
    yield plain("cifar10_vgg, long tail", logits, tail / tail.sum())
    with np.load(folder / "deep_chestxray14_binary7.npz") as data:
        margin, y = data["logits"][:, -1], data["y"][:, -1].astype(np.int64)
    yield balanced("chestxray14 pneumonia, balanced uniform", np.stack([0 * margin, margin], axis=1), y)


def synthetic() -> Iterator[Task]:
    """Yield tasks with labels of prior 1 / rank; a larger `scale` gives more extreme probabilities."""
    for n_samples, n_classes, scale in (
        (100_000, 2, 10),
        (2000, 10, 5),
        (2000, 10, 20),
        (2000, 10, 100),
        (5000, 1000, 10),
    ):
        rng = np.random.default_rng(n_classes)
        prior = 1 / np.arange(1, n_classes + 1)
        y = rng.choice(n_classes, n_samples, p=prior / prior.sum())
        logits = scale * (np.eye(n_classes)[y] + 0.3 * rng.standard_normal((n_samples, n_classes)))
        uniform = np.full(n_classes, 1 / n_classes)
        yield plain(f"synthetic, scale {scale}", log_softmax(logits.astype(np.float32), axis=1), uniform)


def main() -> None:
    """Print and write the table."""
    parser = options(__doc__, writes="the table")
    parser.add_argument("--data", type=Path, help="folder with deep_*.npz; without, only synthetic tasks")
    parser.add_argument("--budget", type=float, default=1.0, help="seconds for each run of a baseline")
    asked = parser.parse_args()
    tasks = (*(nets(asked.data) if asked.data else ()), *synthetic())
    lines = [line for task in tasks for line in compare(task, budget_s=asked.budget)]
    shown = [
        {**asdict(line), "seconds": f"{line.seconds:.4f}", "x_ours": f"{line.x_ours:.1f}", "error": f"{line.error:.1e}"}
        for line in lines
    ]
    head = ["problem", "n", "K", "method", "iterations", "Hessians", "seconds", "x ours", "max abs(P - r)", ""]
    print(markdown(head, [line.values() for line in shown]))
    if asked.csv:
        write_csv(asked.csv, [{**asdict(line), "seconds": f"{line.seconds:.4g}"} for line in lines])


if __name__ == "__main__":
    main()
