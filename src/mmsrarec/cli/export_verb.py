"""The verb that writes a run to serve from, or a data folder in the format of another library."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.formats.plain_text import text
from mmsrarec.cli.options import Data
from mmsrarec.errors import MmsrarecError


def export_text(answer: Any) -> str:
    """What was exported, for people: sizes in the unit that shows them."""
    if not isinstance(answer, dict) or "contents" not in answer:
        return text(answer)
    contents = {name: _size(size) for name, size in answer["contents"].items()}  # pyright: ignore
    return text({**answer, "bytes": _size(answer["bytes"]), "contents": contents})  # pyright: ignore


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"


@verb("export", people=export_text)
def export(
    place: Annotated[Path, typer.Argument(metavar="RUN|DATA", help="A finished run, or a data folder with --to.")],
    out: Annotated[Path, typer.Option(help="The folder to write. Of data, its name becomes that of the data set.")],
    to: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Of a data folder, the format: recbole, mmrec or parquet.")
    ] = None,
    pictures: Annotated[
        bool, typer.Option(help="Of a run: take the pictures of items along. Answers do not need them.")
    ] = True,
    data: Data = None,
) -> dict[str, Any]:
    """Write a run as a folder that answers anywhere, with a model card; or a data folder for another library (--to).

    The folder of a run holds what answers need and nothing else. It can be moved, and needs no data folder.
    """
    from mmsrarec.data.folder import is_data_folder, load

    if to is None:
        if is_data_folder(place):
            raise MmsrarecError(f"{place} is a data folder: say the format with --to recbole, mmrec or parquet")
        from mmsrarec.runs.export_run import export_run

        return export_run(place, out, data, pictures)
    from mmsrarec.data.exporters.exporting import export as export_data

    return export_data(load(place), to, out)
