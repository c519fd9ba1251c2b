"""The leaderboard's page is that of its results."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_leaderboard_page_is_made_from_the_csv_file(tmp_path):
    page = tmp_path / "leaderboard.md"
    command = [sys.executable, "-m", "benchmarks.leaderboard.run", "--from-csv", "benchmarks/results/leaderboard.csv"]
    subprocess.run([*command, "--table", str(page)], cwd=ROOT, check=True, capture_output=True)
    stored = ROOT / "docs" / "leaderboard.md"
    made, kept = (path.read_text(encoding="utf-8").splitlines() for path in (page, stored))
    varying = ("Made by", "Versions:")
    assert [x for x in made if not x.startswith(varying)] == [x for x in kept if not x.startswith(varying)]
