"""The lines of the table, and how they are shown."""

from dataclasses import asdict, dataclass
from typing import Any

from mmsrarec.cli.formats.text_format import text


@dataclass(frozen=True)
class Result:
    """A line of the table.

    part: of the check; measure: what was measured; value: the figure, in `unit`; None where there is none.
    flops: operations a second that the calculation of `mmsrarec plan` counts; share: of the rate of a plain matrix
    product on the same device in the same number format; ok: whether it is as it must be, None where nothing is asked.
    """

    part: str
    measure: str
    value: float | None = None
    unit: str = ""
    flops: float | None = None
    share: float | None = None
    ok: bool | None = None
    remark: str = ""


def table(results: list[Result]) -> str:
    """The one table."""
    return text([row(result) for result in results])


def row(result: Result) -> dict[str, Any]:
    value = "" if result.value is None else f"{result.value:,.4g} {result.unit}".strip()
    return {
        "part": result.part,
        "measure": result.measure,
        "value": value,
        "TFLOP/s": "" if result.flops is None else f"{result.flops / 1e12:.3g}",
        "of the matrix rate": "" if result.share is None else f"{result.share:.1%}",
        "ok": {None: "", True: "yes", False: "NO"}[result.ok],
        "remark": result.remark,
    }


def plain(results: list[Result]) -> list[dict[str, Any]]:
    """The lines as JSON values."""
    return [asdict(result) for result in results]


def all_well(results: list[Result]) -> bool:
    """Whether no line says that something is wrong."""
    return all(result.ok is not False for result in results)
