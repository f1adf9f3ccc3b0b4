"""The verb that writes a data folder in the format of another library."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb


@verb("export-data")
def export_data(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A data folder.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="The format: recbole, mmrec or parquet.")],
    out: Annotated[Path, typer.Option(help="The folder to write; its name becomes the name of the data set.")],
) -> dict[str, Any]:
    """Write a data folder as RecBole, MMRec or any reader of Parquet takes it."""
    from mmsrarec.data.exporters.exporting import export
    from mmsrarec.data.folder import load

    return export(load(data), to, out)
