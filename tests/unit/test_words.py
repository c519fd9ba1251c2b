"""Documents use terms of the field, and short sentences; so does the package where `PACKAGE` includes it."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PACKAGE = ("",)
"""Paths below `skimbalance/` that are checked too: `("",)` for all of them."""

LONGEST = 25
"""Words of the longest sentence."""

WORDS = {
    r"believ(e|es|ed|ing)": "depends on, assumes",
    r"know|knows|knew|nobody|whoever|somebody": "depends on, has, has seen",
    r"promis(e|es|ed|ing)": "in-sample, expected",
    r"ask(s|ed)? for": "requires, is set to",
    r"says?|said|tell(s|ing)?|told|foretold": "states, gives, shows",
    r"ha(s|ve) (a|no) say": "has no effect",
    r"doubts?|chances?": "warning; statistically significant",
    r"several labels|labels a row|one label a row": "multilabel",
    r"(?<!at least )(?<!more than )(?<!fewer than )(?<!best )(?<!other than )(?<!second of )(?<!one of )two classes"
    r"(?! or more)|two-class|several classes": "binary, multiclass",
    r"(new|held-out|test|training|tuning|validation|rare|frequent|other) rows?": "samples, unseen data",
    r"rows? (to|that|of the fit|not seen|at hand)": "samples",
    r"(rare|rarer|(?<!most )(?<!equally )frequent|commonest) (class(es)?|ones?|digits?|labels?)": "minority, majority",
    r"shares? of (the|a) class(es)?|class shares": "class prior, proportion",
    r"rivals?": "runner-up class, baseline",
    r"beyond (any )?chance": "statistically significant",
    r"gaps?": "margin",
    r"walk(s|ed|ing)?": "sorted sweep",
    r"leaps?": "random restart, step",
    r"climb(s|ed|ing)?": "ascent",
    r"movers?": "positive class",
    r"redrawn|redraws?": "posterior predictive",
    r"floors?|ceilings?": "lower bound, upper bound",
    r"false alarms?": "false positives",
    r"(is|are|be|was|were) (met|missed)|out of reach": "satisfied, achievable",
    r"hardly|plainly|honest|surest": "a plain statement",
    r"by heart|at (its|their) word|turns? around|chases?|pays? (with|off|for)": "a literal expression",
    r"picture": "figure",
}
"""Words that are wrong in prose, and what to write instead."""

ALLOWED = (
    "corrected for chance",
    "chance agreement",  # the definition of Cohen's kappa
    "ast.walk",
    "os.walk",
)

PATTERN = re.compile(rf"(?<![\w`.#/-])({'|'.join(WORDS)})(?![\w`(=-])", re.IGNORECASE)

GENERATED = {"leaderboard.md", "leaderboard_families.md", "paper.md", "architecture.md", "changelog.md", "measured.md"}
GENERATED |= {"leaderboard_unseen.md", "leaderboard_unseen_families.md", "many_data_sets.md"}
"""Pages that scripts of `benchmarks/` write, or that include another file."""

PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name not in GENERATED)
PAGES += [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md")]
MODULES = sorted([*(ROOT / "examples").glob("*.py"), *(ROOT / "docs" / f"{name}.py" for name in ("conf", "pictures"))])
MODULES += sorted({path for below in PACKAGE for path in (ROOT / "skimbalance" / below).rglob("*.py")})


def paragraphs_of_page(text):
    """Return the prose of a Markdown page, without code, addresses and quoted messages; comments of code count."""
    text = re.sub(r"^```(\w*|\{.*?\}).*?\n(.*?)^```", _comments_of_block, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"`[^`\n]+`", "X", text)
    text = re.sub(r"^( *[-*] |\d+\. |#+ |\|)", r"\n\n", text, flags=re.MULTILINE)
    return [part for block in re.split(r"\n\s*\n", text) for part in block.split("|")]


def _comments_of_block(match):
    comments = re.findall(r"(?:^|\s)# (.*)", match[2]) if match[1] == "python" else []
    return "\n\n".join(["", *comments, ""])


def paragraphs_of_module(text):
    """Return docstrings, comments and strings of a module."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    comments = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    blocks, last = [], -2
    for line, comment in comments:
        if line != last + 1 or not blocks:
            blocks.append("")
        blocks[-1] += "\n" + re.sub(r"^# ?", "", comment)
        last = line
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    strings = [node.value for node in nodes if isinstance(node.value, str) and not node.value.startswith("<")]
    return [part for block in blocks + strings for part in _plain(block).split("\n\n")]


def _plain(docstring):
    """Drop code, roles, formulas and headings of a docstring."""
    docstring = re.sub(r"(?<=::)\n\n(?: {8,}.*\n|\n)+", "\n\n", docstring)
    text = re.sub(r"^ *(>>>|\.\.\.|\.\. math::).*$", "", docstring, flags=re.MULTILINE)
    text = re.sub(r":\w+:`[^`]*`|``[^`]+``|`[^`\n]+`", "X", text)
    text = re.sub(r"^ *(\w[\w, ]* : .*|[-=]{3,})$", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"^ *(- |\d+\. )", "\n\n", text, flags=re.MULTILINE)
    return re.sub(r"\n\s*\n", "\n\n", text)


def prose(path):
    """Return the paragraphs of a file, each on one line."""
    text = path.read_text(encoding="utf-8")
    for allowed in ALLOWED:
        text = text.replace(allowed, "")
    parts = paragraphs_of_page(text) if path.suffix == ".md" else paragraphs_of_module(text)
    return [" ".join(part.split()) for part in parts if part.strip()]


def named(path):
    return str(path.relative_to(ROOT))


def wrong_words(path):
    """Return each wrong word of a file with some words around it."""
    return [
        f"{match[0]!r} in ...{part[max(0, match.start() - 40) : match.end() + 40]}..."
        for part in prose(path)
        for match in PATTERN.finditer(part)
    ]


def long_sentences(path):
    """Return the sentences of a file that have too many words."""
    sentences = (sentence for part in prose(path) for sentence in re.split(r"(?<=[.:;?!])\s+(?=[A-Z`*(\"\[])", part))
    return [sentence for sentence in sentences if len(re.findall(r"[A-Za-z][\w'-]*", sentence)) > LONGEST]


@pytest.mark.parametrize("path", PAGES + MODULES, ids=named)
def test_words(path):
    assert not wrong_words(path)


@pytest.mark.parametrize("path", PAGES + MODULES, ids=named)
def test_sentences_are_short(path):
    assert not long_sentences(path)


@pytest.mark.parametrize("wrong", ["It knows.", "the held-out rows", "A walk in order", "two classes", "asked for"])
def test_wrong_words_are_found(wrong):
    assert PATTERN.search(wrong)
    assert not PATTERN.search(f"`{wrong}`".replace(" ", "_"))
