"""The documentation: its Python runs and prints what it shows, its links lead somewhere, its tables are complete."""

import ast
import contextlib
import importlib
import importlib.util
import inspect
import io
import re
from pathlib import Path

import numpy as np
import pytest
from support.documents import assert_alike

from skimbalance.metrics import get_metric_names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in PAGES}

NEEDS = {
    "deep_nets.md": ["torch", "skorch"],
    "deployment.md": ["onnxruntime", "skl2onnx", "lightgbm", "onnxmltools", "skops"],
    "large_data.md": ["torch", "distributed"],
    "rejection.md": ["matplotlib"],
    "trainers.md": ["lightning", "transformers", "accelerate"],
}
"""What the blocks of a page need besides."""

LONG = {"choose_a_goal.md", "deep_nets.md", "large_data.md", "new_data.md", "trainers.md"}
"""Pages whose blocks take seconds."""

MADE = ("gallery", "reference", "_generated")
"""Folders that the build fills."""

FENCE = re.compile(r"^```(\S*).*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = {
    name: [(kind, block) for kind, block in FENCE.findall(text) if kind in {"python", "text"}]
    for name, text in TEXTS.items()
}
WITH_PYTHON = [name for name, blocks in BLOCKS.items() if any(kind == "python" for kind, _ in blocks)]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.exhaustive] * (name in LONG)) for name in WITH_PYTHON]
)
def test_python_blocks_run(name, tmp_path, monkeypatch):
    for needed in NEEDS.get(name, ()):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)  # some save files
    names, printed = {"__name__": "docs"}, ""
    for kind, block in BLOCKS[name]:
        if kind == "text":
            assert_alike(printed, block)
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, name, "exec"), names)  # the blocks are ours
        printed = out.getvalue()


def test_every_page_is_in_a_toctree():
    listed = {
        re.sub(r".*<(.*)>", r"\1", line.strip())
        for text in TEXTS.values()
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
        for line in tree.splitlines()
        if line.strip() and not line.startswith(":")
    }
    assert {path.stem for path in PAGES} - {"index"} == {name for name in listed if "/" not in name}


LINKS = [
    (path, target)
    for path in [*PAGES, ROOT / "README.md"]
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", path.read_text("utf-8")))
    if not target.startswith(("http://", "https://"))
]


@pytest.mark.parametrize(("path", "target"), LINKS, ids=lambda value: getattr(value, "name", value))
def test_relative_links_lead_somewhere(path, target):
    file, _, anchor = target.partition("#")
    to = (path.parent / file).resolve() if file else path
    made = to.is_relative_to(DOCS) and to.relative_to(DOCS).parts[0] in MADE
    if made and to.suffix == ".svg":
        assert f'"{to.name}"' in (DOCS / "pictures.py").read_text("utf-8")
    assert made or to.exists()
    if anchor:
        assert anchor in anchors(to)


def anchors(path):
    """Return the anchors of the headings of a page, as code hosts make them."""
    text = path.read_text("utf-8")
    for included in re.findall(r"^```\{include\} (\S+)", text, re.MULTILINE):
        if (path.parent / included).exists():
            text += (path.parent / included).read_text("utf-8")
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", sorted((DOCS / "inventories").glob("*.txt")), ids=lambda path: path.stem)
def test_names_of_other_libraries_exist(path):
    pytest.importorskip(path.stem)
    for line in path.read_text("utf-8").splitlines()[3:]:
        name, kind, _ = line.split()
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        assert kind == ("class" if inspect.isclass(found) else "function")


def formulas():
    """Return the formulas of pages and docstrings, each with whether it stands on lines of its own."""
    for text in TEXTS.values():
        prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
        yield from ((found, True) for found in re.findall(r"\$\$(.+?)\$\$", prose, re.DOTALL))
        yield from ((found, False) for found in re.findall(r"(?<!\$)\$([^$\n]+)\$(?!\$)", prose))
    for path in sorted((ROOT / "skimbalance").rglob("*.py")):
        text = path.read_text("utf-8")
        yield from ((found, False) for found in re.findall(r":math:`([^`]*)`", text))
        blocks = re.findall(r"( *)\.\. math::(.*\n(?:\n|\1 +.*\n)*)", text)
        yield from ((inspect.cleandoc(found), True) for _, found in blocks)


def test_browsers_can_draw_every_formula():
    latex2mathml = pytest.importorskip("docutils.utils.math.latex2mathml")
    for formula, as_block in formulas():
        assert latex2mathml.tex2mathml(formula, as_block=as_block).startswith("<math")


@pytest.mark.usefixtures("import_benchmark")
def test_what_the_page_on_resampling_concludes_is_in_its_tables():
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    rows = tables._rows("resample_or_tune.csv")
    sets = [
        tables._means_by_set(rows, group, metric, decisions=tables.DECISIONS)
        for group, metrics in tables.RESAMPLED.items()
        for metric in metrics
    ]
    found = [{name: np.mean(each) for name, each in means.items()} for means in sets]
    assert len(found) == 6
    for means in found:  # tuning alone, against each argmax, and against tuning after resampling
        tuned = means["plain", "tuned"]
        assert all(tuned > mean for (_, decided), mean in means.items() if decided == "argmax")
        assert all(abs(tuned - means[name, "tuned"]) < 0.0105 for name in ("weights", "over", "smote"))
        exceptions = [name for name in tables.TRAININGS if means[name, "tuned"] <= means[name, "argmax"]]
        assert exceptions in ([], ["under"])
    best = [max(means, key=means.get) for means in found]
    assert all(training != "plain" and decided == "tuned" for training, decided in best)
    gains = [np.subtract(means[name], means["plain", "tuned"]) for means, name in zip(sets, best, strict=True)]
    assert sum((gain > 0).sum() < (gain < 0).sum() for gain in gains) == 4
    marked = [tables._against(means, ("plain", "tuned")) for means in sets]
    texts = [each[name, "argmax"] for each in marked for name in tables.TRAININGS if name != "plain"]
    assert (len(texts), sum("▼" in text for text in texts), sum("▲" in text for text in texts)) == (24, 8, 0)
    assert not any("▲" in text for each in marked for text in each.values())
    ranking = tables._means_by_set(rows, "bin", "average_precision", decisions=["argmax"])
    assert max(ranking, key=lambda name: np.mean(ranking[name])) == ("plain", "argmax")


def test_the_table_of_metrics_is_complete():
    assert re.findall(r"^\| `(\w+)` \|", TEXTS["metrics.md"], re.MULTILINE) == get_metric_names()


@pytest.mark.parametrize(
    "module",
    [
        "__init__",
        "metrics/__init__",
        "plotting/__init__",
        "scorers",
        "callbacks/__init__",
        "callbacks/lightning",
        "callbacks/transformers",
        "goals",
        "onnx",
    ],
)
def test_the_reference_has_every_public_name(module):
    tree = ast.parse((ROOT / "skimbalance" / f"{module}.py").read_text("utf-8"))
    offered = next(node.value for node in tree.body if isinstance(node, ast.Assign) and "__all__" in ast.unparse(node))
    for name in ast.literal_eval(offered):
        assert name == "__version__" or name in re.findall(r"\w+", TEXTS["reference.md"])


def of_the_reference(template, name):
    """Return what the template of the reference makes of a class."""
    jinja2 = pytest.importorskip("jinja2")
    spec = importlib.util.spec_from_file_location("members", DOCS / "members.py")
    members = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(members)
    module, _, objname = name.rpartition(".")
    kind = getattr(importlib.import_module(module), objname)
    context = {
        "fullname": name,
        "module": module,
        "objname": objname,
        "methods": [each for each, _ in inspect.getmembers(kind, inspect.isroutine) if not each.startswith("_")],
        "methods_by_class": members.methods_by_class(),
    }
    environment = jinja2.Environment()
    environment.filters["underline"] = "{0}\n".format  # Sphinx has it
    text = (DOCS / "_templates" / "autosummary" / template).read_text("utf-8")
    return environment.from_string(text).render(context)


WITH_METHODS = [
    f"{module}.{name}"
    for module in ("skimbalance", *(["skimbalance.plotting"] if importlib.util.find_spec("matplotlib") else []))
    for name, kind in vars(importlib.import_module(module)).items()
    if inspect.isclass(kind) and not name.startswith("_")
]


@pytest.mark.parametrize("name", WITH_METHODS)
def test_the_reference_has_an_entry_for_every_public_method(name):
    module, _, objname = name.rpartition(".")
    kind = getattr(importlib.import_module(module), objname)
    page = of_the_reference("class.rst", name)
    listed = re.findall(r"^   \.\. automethod:: (\w+)$", page, re.MULTILINE)
    inherited = re.findall(r"`(\w+)`", page.partition("Besides, as in scikit-learn:")[2])
    public = {each for each, _ in inspect.getmembers(kind, inspect.isroutine) if not each.startswith("_")}
    assert {*listed, *inherited} == public
    assert not {each for each in inherited if "skimbalance" in (getattr(kind, each).__module__ or "")}
    assert ":template:" not in TEXTS["reference.md"]  # that template is the one of all classes


SOURCES = [ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "skimbalance").rglob("*.py"))]
STRINGS = [
    node.value
    for tree in SOURCES
    for node in ast.walk(tree)
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
]


def said():
    """Return the first words of whatever the package warns of or notes."""
    for tree in SOURCES:
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            if ast.unparse(node.func) in {"warn_user", "notes.append"}:
                message = node.args[0]
                made = functions.get(ast.unparse(message.func)) if isinstance(message, ast.Call) else None
                if made:  # a function that makes the sentence
                    message = next(each.value for each in ast.walk(made) if isinstance(each, ast.Return))
                yield from opening(message)


def opening(message):
    """Return the first words of a string, or of the first part of an f-string that has some."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
    spoken = [text for text in texts if len(text.split()) > 1]
    if spoken:
        yield " ".join(spoken[0].split()[:4]).rstrip(":;,")


@pytest.mark.parametrize("words", sorted(set(said())))
def test_every_warning_and_note_is_explained(words):
    assert words in TEXTS["messages.md"]


def test_every_category_of_warnings_is_named():
    from skimbalance import exceptions

    for name in exceptions.__all__:
        if name.endswith("Warning"):
            assert name in TEXTS["messages.md"]


QUOTED = sorted(
    {
        quoted
        for line in TEXTS["messages.md"].splitlines()
        for quoted in re.findall(r"`([^`]+)`", line.split(" | ")[0] if line.startswith("|") else line)
        if len(quoted.split()) > 3
    }
)


@pytest.mark.parametrize("quoted", QUOTED)
def test_every_message_explained_is_still_said(quoted):
    for part in filter(str.strip, quoted.split("…")):
        assert any(part.strip() in text for text in STRINGS), part
