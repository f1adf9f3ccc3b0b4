"""The wheel and the source distribution hold what they must and nothing else; the wheel works on its own."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from mmsrarec import __version__

ROOT = Path(__file__).parents[1]
SUFFIXES = {".py", ".typed", ".txt", ".toml", ".json", ".safetensors", ".css", ".js", ".html", ".tsv", ".j2"}
SUFFIXES |= {".svg", ".woff2"}
NEEDED = {"mmsrarec/py.typed", "mmsrarec/models/packages.txt", "mmsrarec/recipes/sample.toml"}
MAX_WHEEL_MB = 5


def build(kind: str, folder: Path) -> Path:
    """Build one distribution of this checkout, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def package_files() -> set[str]:
    """The files of the package in this checkout, as a wheel names them."""
    paths = (path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT / "src").as_posix() for path in paths if ".egg-info/" not in path.as_posix()}


def test_the_wheel_holds_the_package_and_the_recipes(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    recipes = {f"mmsrarec/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.toml")}
    metadata = {name for name in names if name.startswith(f"mmsrarec-{__version__}.dist-info/")}
    assert names - metadata == package_files() | recipes
    assert {Path(name).name for name in metadata} == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "LICENSE"}
    assert {Path(name).suffix for name in names - metadata} <= SUFFIXES
    assert names >= NEEDED
    assert sum(name.endswith("projector.safetensors") for name in names) == 1
    assert wheel.stat().st_size < MAX_WHEEL_MB * 1e6


def test_the_metadata_says_what_the_project_file_says(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f"mmsrarec-{__version__}.dist-info/METADATA").decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = metadata.partition("\n\n")[0].splitlines()
    assert {"License-Expression: Apache-2.0", "Requires-Python: >=3.11", f"Version: {__version__}"} <= set(lines)
    base = [line for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert len(base) == len(project["dependencies"])
    assert not [line for line in base if "torch" in line or "transformers" in line]


def test_the_source_distribution_holds_what_a_wheel_is_built_from(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    package = {f"src/{name}" for name in package_files()}
    recipes = {f"recipes/{path.name}" for path in (ROOT / "recipes").glob("*.toml")}
    papers = {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert names == package | recipes | papers


def test_constraints_hold_a_version_of_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in extras for line in extras[name])]
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    names = {line.partition(">=")[0].lower().replace("-", "_") for line in wanted}
    assert names - {name.replace("-", "_") for name in pinned} == set()


def test_the_changelog_keeps_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings
    assert all(re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings)
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert len(headings) > 1 or kinds == {"Added"}  # nothing was released that could have changed


def test_the_version_stands_in_every_place() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (__version__, "Apache-2.0")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert __version__ in changelog.partition("### ")[0]


@pytest.mark.parametrize(
    "name", ["CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md", "docs/release.md"]
)
def test_documents_are_wrapped(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > 100] == []


class Installed:
    """An empty environment into which a wheel was installed.

    Attributes:
        folder: The folder of the environment; commands run beside it.
    """

    def __init__(self, folder: Path, wheel: Path, extras: str = "") -> None:
        self.folder = folder
        venv.create(folder / "env", with_pip=True)
        self._bin = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        constraints = str(ROOT / "constraints.txt")
        self.call("python", "-m", "pip", "install", "--quiet", "-c", constraints, f"{wheel}{extras}")

    def call(self, program: str, *arguments: str) -> str:
        """Run a program of the environment and return its standard output."""
        outside = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
        environment = {name: value for name, value in os.environ.items() if name not in outside}
        environment["MMSRAREC_CACHE"] = str(self.folder / "cache")
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
        return done.stdout


@pytest.mark.slow
def test_the_base_install_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Data and checks need no torch, and `doctor` says what to install for the rest."""
    installed = Installed(tmp_path, wheel)
    assert installed.call("python", "-c", "import mmsrarec; print(mmsrarec.__version__)") == f"{__version__}\n"
    answer = json.loads(installed.call("mmsrarec", "doctor", "--json"))
    assert (answer["mmsrarec"], answer["packages"]["torch"]) == (__version__, None)
    assert [advice for advice in answer["advice"] if advice.startswith("torch is missing: ")]
    installed.call("mmsrarec", "sample", "--out", "data", "--json")
    assert json.loads(installed.call("mmsrarec", "check", "data", "--json"))["broken_images"] == {}


@pytest.mark.slow
def test_the_whole_method_works_in_an_empty_environment(wheel: Path, tmp_path: Path, finished: Path) -> None:
    """A tiny catalogue and a tiny model: a run, then recommendations and a reason from it; then the real weights."""
    installed = Installed(tmp_path, wheel, "[mllm,baselines]")
    installed.call("mmsrarec", "run", str(finished / "tiny.toml"), "--out", "run", "--json")
    answer = json.loads(installed.call("mmsrarec", "recommend", "run", "--user", "u0001", "--k", "3", "--json"))
    assert len(answer["recommendations"]) == 3
    item = answer["recommendations"][0]["item_id"]
    installed.call("mmsrarec", "explain", "run", "--user", "u0001", "--item", item, "--json")
    assert len(json.loads(installed.call("mmsrarec", "models", "install", "--json"))["installed"]) == 3
    advice = json.loads(installed.call("mmsrarec", "doctor", "--json"))["advice"]
    assert not [line for line in advice if "mmsrarec models install" in line]
