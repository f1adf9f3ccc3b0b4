"""A part of a run is whole or absent, made once, and made again where it was made from something else."""

import io
import json
from pathlib import Path

import pytest
from finished import RECIPE

from mmsrarec.core.artefacts import is_current, read_manifest, verify
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset
from mmsrarec.models import processes
from mmsrarec.pipeline.part_writer import PartWriter
from mmsrarec.runs.recipe import load_recipe
from mmsrarec.runs.run_folder import RunFolder


@pytest.fixture
def writer(tmp_path: Path, drawn: Dataset) -> tuple[PartWriter, io.StringIO]:
    head, parts = RECIPE.split("[model]")
    (tmp_path / "tiny.toml").write_text(f'{head}data = "{drawn.folder}"\n[model]{parts}')
    said = io.StringIO()
    return PartWriter(RunFolder(load_recipe(tmp_path / "tiny.toml"), tmp_path / "run"), Progress(said)), said


def make(writer: PartWriter, key: str, text: str = "whole") -> bool:
    """Whether there was something to do."""
    with writer.stage("some/part", key, {"other": "made before"}) as folder:
        if folder is None:
            return False
        (folder / "file.txt").write_text(text)
    return True


def test_a_part_is_made_once_for_each_key(writer: tuple[PartWriter, io.StringIO]) -> None:
    work, said = writer
    assert make(work, "a")
    assert not make(work, "a")
    assert make(work, "b", "anew")
    part = work.out / "some" / "part"
    assert verify(part)["key"] == "b"
    assert (part / "file.txt").read_text() == "anew"
    assert read_manifest(part)["inputs"] == {"other": "made before"}
    lines = said.getvalue().splitlines()
    assert [line.partition(":")[2].split()[0] for line in lines] == ["done", "up", "done"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_part_that_failed_is_absent_and_the_old_one_stays(
    error: type[BaseException], writer: tuple[PartWriter, io.StringIO]
) -> None:
    work, said = writer
    part = work.out / "some" / "part"

    def fail() -> None:
        with work.stage("some/part", "b") as folder:
            assert folder is not None
            (folder / "file.txt").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert not part.exists()
    make(work, "a")
    with pytest.raises(error):
        fail()
    assert (part / "file.txt").read_text() == "whole"
    assert is_current(part, "a")
    assert said.getvalue().count("done in") == 1


def test_of_several_processes_the_first_one_keeps_what_all_make(
    writer: tuple[PartWriter, io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, said = writer
    monkeypatch.setattr(processes, "is_first", lambda: False)
    assert make(work, "a")
    assert not (work.out / "some").exists()
    assert not said.getvalue()
    monkeypatch.setattr(processes, "is_first", lambda: True)
    assert make(work, "a")
    monkeypatch.setattr(processes, "is_first", lambda: False)
    assert not make(work, "a")  # it finds what the first one kept


def test_the_manifest_holds_the_settings(writer: tuple[PartWriter, io.StringIO]) -> None:
    work, _ = writer
    make(work, "a")
    manifest = read_manifest(work.out / "some" / "part")
    assert json.loads(json.dumps(manifest["settings"]))["recommend"]["n_examples"] == 12
