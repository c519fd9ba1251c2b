"""Check what the distributions in a folder hold: the package with its licence, and nothing else."""

import sys
import tarfile
import zipfile
from pathlib import Path

(folder,) = map(Path, sys.argv[1:])
(wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
with zipfile.ZipFile(wheel) as file:
    held = [name for name in file.namelist() if not name.endswith("/")]
with tarfile.open(source) as file:
    sources = [name.partition("/")[2] for name in file.getnames()]
version = wheel.name.split("-")[1]
expected = {str(path) for path in Path("skimbalance").rglob("*.py")} | {"skimbalance/py.typed"}
expected |= {f"skimbalance-{version}.dist-info/licenses/LICENSE"}
assert expected <= set(held), f"missing in {wheel.name}: {sorted(expected - set(held))}"
foreign = [name for name in held if not name.startswith(("skimbalance/", f"skimbalance-{version}.dist-info/"))]
assert not foreign, f"{wheel.name} holds {foreign}"
kinds = {Path(name).suffix for name in held if name.startswith("skimbalance/")}
assert kinds <= {".py", ".pyi", ".pyx", ".so", ".typed"}, f"{wheel.name} holds files of the kinds {sorted(kinds)}"
assert any(name.endswith(".so") for name in held), f"{wheel.name} lacks the compiled code"
needed = {"LICENSE", "README.md", "pyproject.toml", "skimbalance/solvers/_kernel.pyx"}
assert needed <= set(sources), f"missing in {source.name}: {sorted(needed - set(sources))}"
