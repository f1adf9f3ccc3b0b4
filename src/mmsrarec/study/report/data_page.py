"""The page about a data set: what one wants to know before a run, with pictures of what is odd."""

from pathlib import Path

from mmsrarec.core.artefacts import atomic_write
from mmsrarec.data.checking.check_data import DataCheck
from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import DataError
from mmsrarec.study.report.environment import page
from mmsrarec.study.report.sections.data_sections import (
    findings_section,
    groups_section,
    items_section,
    log_section,
    overview_section,
    pictures_section,
    users_section,
)

TEXT_NOTE = "Variants of one product, or items that were listed twice. A recommended twin counts as a miss."
PICTURE_NOTE = "Editions that share a cover, placeholders such as “no image”, or a wrong picture."


def data_page(check: DataCheck, dataset: Dataset) -> str:
    """Write the page.

    Args:
        check: What is known of the data set.
        dataset: The data set, whose pictures are shown.

    Returns:
        A page that needs no other file.
    """
    sections = [
        overview_section(check),
        findings_section(check),
        log_section(check),
        items_section(check),
        groups_section(check, dataset, check.duplicate_texts, "Nearly the same text", TEXT_NOTE),
        groups_section(check, dataset, check.duplicate_images, "Nearly the same picture", PICTURE_NOTE),
        pictures_section(check, dataset),
        users_section(check),
    ]
    intro = "What one wants to know of a data set before a run is spent on it."
    return page("Data", check.data, intro, sections, title=f"Data: {check.data}")


def write_data_page(check: DataCheck, dataset: Dataset, file: Path) -> None:
    """Write the page to a file.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        atomic_write(file, data_page(check, dataset).encode())
    except OSError as error:
        raise DataError(f"cannot write {file}: {error.strerror or error}") from error
