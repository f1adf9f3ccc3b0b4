"""`mmsrarec models`: the packages that carry the weights of the embedded model, and the model as a folder to serve."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.core.terminal import printable
from mmsrarec.models.weight_packages import REQUIREMENTS, WEIGHT_PACKAGES, WeightPackage, install_missing

models_app = typer.Typer(
    help="The embedded model: install its weights, list them, and say where they are.", invoke_without_command=True
)


@models_app.callback()
def models(context: typer.Context) -> None:
    """The embedded model: install its weights, list them, and say where they are."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


@verb("install", group=models_app)
def install() -> dict[str, Any]:
    """Install what is missing of the embedded model, each file checked against its hash (194 MB in all)."""
    installed = install_missing(lambda line: print(printable(line), file=sys.stderr, flush=True))
    return {
        "installed": [package.name for package in installed],
        "present": [package.name for package in WEIGHT_PACKAGES if package not in installed],
    }


@verb("list", group=models_app)
def list_packages() -> dict[str, Any]:
    """Show the packages of weights: versions, sizes, licences, and which are installed."""
    return {"packages": [_description(package) for package in WEIGHT_PACKAGES]}


@verb("path", group=models_app)
def path() -> dict[str, Any]:
    """Say where the weights lie, and the list of pinned packages: for installing them by other means."""
    return {
        "requirements": REQUIREMENTS,
        "weights": {package.name: package.path for package in WEIGHT_PACKAGES},
    }


@verb("export", group=models_app)
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
) -> dict[str, Any]:
    """Write the embedded model as a folder that a server such as `transformers serve` can serve, pictures included."""
    from mmsrarec.models.backbone.servable import write_servable

    return {"model": write_servable(folder)}


def _description(package: WeightPackage) -> dict[str, Any]:
    return {
        "package": package.name,
        "version": package.version,
        "installed": package.installed_version if package.path else None,
        "size_mb": package.size_mb,
        "licence": package.licence,
        "purpose": package.purpose,
    }
