"""The `dev` extra names packages that requirements/ pins, and the same torch."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_dev_extra_is_pinned_by_requirements():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    pinned = {}
    for name in ("run", "test", "docs", "lint", "torch"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        pinned |= {match[1].lower(): match[0] for match in re.finditer(r"^([\w-]+)==\S+", text, re.MULTILINE)}
    for requirement in extras["dev"]:
        name = re.match(r"[\w-]+", requirement)[0].lower()
        assert name == "skimbalance" or name in pinned
        if "==" in requirement:
            assert requirement == pinned[name]
