"""What blocks of pages print, compared with what the pages show."""

import re

import pytest


def assert_alike(printed, shown):
    """Compare words exactly, and numbers with a tolerance for other versions of the libraries."""
    number = r"\d+(?:\.\d+)?"
    assert re.sub(number, "0", printed) == re.sub(number, "0", shown)
    pairs = zip(re.findall(number, printed), re.findall(number, shown), strict=True)
    assert all(float(got) == pytest.approx(float(said), abs=0.03) for got, said in pairs), printed
