"""Stage 1 shows pictures to a real backbone in its own way, from their files, and to others as averaged tokens."""

import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from architectures import tiny_of
from PIL import Image
from pydantic import ValidationError
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.engines.local_engine import LocalEngine
from mmsrarec.engines.picture_urls import open_shrunk
from mmsrarec.engines.protocol import PictureFile, Request
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.vision.image_features import encode_catalogue_images, grey_picture
from mmsrarec.models.vision.native_pictures import native_answers, native_log_probs
from mmsrarec.models.vision.native_processor import LONGEST_SIDE
from mmsrarec.runs.fingerprints import features_version, shown_native, unused
from mmsrarec.summarize.image_grounding import BLANK, pieces
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import IMAGE_QUESTION, image_prompt, image_question
from mmsrarec.summarize.settings import SummarizeSettings, TuneSettings
from mmsrarec.summarize.summarizer import shows_native, summarize

SETTINGS = SummarizeSettings(
    visual_tokens=4, max_new_tokens_image=6, max_new_tokens_text=2, eye_words=False, language="en", texts=False
)
STOP = stop_after(SETTINGS.max_keywords_image)
NOBODY = make_interactions(*[np.zeros(0, dtype=np.int64)] * 3, 0, 3)
SIZES = ((40, 40), (96, 30), (30, 80))


@pytest.fixture(scope="module", params=["qwen3_vl", "smolvlm", "internvl"])
def mllm(request: pytest.FixtureRequest) -> Mllm:
    return tiny_of(request.param)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for code, (width, height) in enumerate(SIZES):
        values = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(values).save(folder / "images" / f"{code}.png")
    items = tuple(Item(str(code), "", "", (), f"{code}.png") for code in range(len(SIZES)))
    return Dataset("test", items, (), NOBODY, folder)


@pytest.fixture(scope="module")
def features(mllm: Mllm, dataset: Dataset) -> dict[int, Tensor]:
    return encode_catalogue_images(mllm, dataset, SETTINGS.visual_tokens).features


def pictures_of(dataset: Dataset) -> list[Image.Image]:
    root = dataset.image_folder
    assert root is not None
    paths = [dataset.image_path(code) for code in range(len(dataset.items))]
    return [open_shrunk(PictureFile(path, root)) for path in paths if path is not None]


def test_a_real_backbone_answers_in_its_own_way_and_averaged_where_that_is_set(
    mllm: Mllm, dataset: Dataset, features: dict[int, Tensor], tmp_path: Path
) -> None:
    native = summarize(dataset, mllm, SETTINGS, tmp_path / "store", features, 2)
    want = [native_answers(mllm, [each], IMAGE_QUESTION, 6, STOP)[0] for each in pictures_of(dataset)]
    assert [answers[0] for answers in native.answers] == want
    as_set = SETTINGS.model_copy(update={"picture_form": "averaged"})
    averaged = summarize(dataset, mllm, as_set, tmp_path / "store", features, 2)
    asked = [image_prompt(mllm, 4)] * len(SIZES)
    want_averaged = mllm.generate(asked, [features[code] for code in range(len(SIZES))], 6, STOP)
    assert [answers[0] for answers in averaged.answers] == want_averaged
    assert want != want_averaged
    assert summarize(dataset, mllm, SETTINGS, tmp_path / "store", features, 2) == native


def test_keywords_are_checked_with_the_picture_as_it_was_shown(
    mllm: Mllm, dataset: Dataset, features: dict[int, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "mug, star"
    monkeypatch.setattr(
        "mmsrarec.engines.local_engine.native_answers", lambda mllm, pictures, *_: [said] * len(pictures)
    )
    found = summarize(dataset, mllm, SETTINGS, tmp_path / "store", features, 2)
    assert found.image == (("mug", "star"),) * len(SIZES)
    with closing(sqlite3.connect(tmp_path / "store")) as db:
        kept = {row[:2]: row[2] for row in db.execute("SELECT content, keyword, value FROM support")}
    assert len(kept) == 2 * (len(SIZES) + 1)
    ids = pieces(mllm, ("mug", "star"))
    own, grey = (
        [native_log_probs(mllm, [each], IMAGE_QUESTION, [[*ids[0], *ids[1]]])[0] for each in some]
        for some in (pictures_of(dataset), [grey_picture()])
    )
    by_picture = [value for (content, word), value in sorted(kept.items()) if content != BLANK and word == "mug"]
    assert sorted(by_picture) == pytest.approx(sorted(float(row[: len(ids[0])].sum()) for row in own), abs=1e-3)
    assert kept[BLANK, "mug, star"] == pytest.approx(float(grey[0][len(ids[0]) :].sum()), abs=1e-3)


def test_a_picture_that_went_bad_is_a_reason_and_spares_the_others(tmp_path: Path) -> None:
    mllm = tiny_of("smolvlm")
    grey_picture().save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"<svg/>")
    requests = [Request(name, image_question(), PictureFile(tmp_path / f"{name}.png", tmp_path)) for name in "ab"]
    engine = LocalEngine(mllm, batch=2, native=True)
    found = {row.content: row for rows in engine.generate(requests, 3, STOP) for row in rows}
    assert found["a"].text is not None
    assert found["b"].text is None
    assert str(found["b"].reason).startswith("an SVG drawing")
    with pytest.raises(MmsrarecError, match="from their files, and one is not named"):
        engine.question(Request("c", image_question()))
    question = engine.question(requests[0])
    assert pickle.loads(pickle.dumps(question)) == question  # as it goes to a worker of Ray
    keys = {LocalEngine(mllm, native=way).key_of(image_question()) for way in (True, False)}
    assert len(keys) == 2


def test_a_large_picture_is_shrunk_first(tmp_path: Path) -> None:
    Image.new("RGB", (3000, 1000)).save(tmp_path / "a.png")
    assert open_shrunk(PictureFile(tmp_path / "a.png", tmp_path)).size == (LONGEST_SIDE, LONGEST_SIDE // 3)


def test_who_has_no_way_of_its_own_is_shown_averaged_pictures_or_says_so() -> None:
    small = tiny_mllm()
    assert not shows_native(small, SETTINGS)
    with pytest.raises(MmsrarecError, match=r"no processor .* tiny-0: set summarize.picture_form = \"averaged\""):
        shows_native(small, SETTINGS.model_copy(update={"picture_form": "native"}))
    own = tiny_of("internvl")
    assert shows_native(own, SETTINGS)
    assert not shows_native(own, SummarizeSettings(tune=TuneSettings()))
    with pytest.raises(ValidationError, match="tuning sees pictures as averaged tokens"):
        SummarizeSettings(picture_form="native", tune=TuneSettings())


def test_how_pictures_are_shown_is_part_of_a_key_and_changes_none_of_the_embedded_model() -> None:
    real, embedded = ModelSettings(name="Qwen/Qwen3-VL-4B-Instruct"), ModelSettings()
    assert shown_native(real, SETTINGS)
    assert not shown_native(embedded, SETTINGS)
    assert not shown_native(ModelSettings(name="embedded-small"), SETTINGS)
    for changed in ({"picture_form": "averaged"}, {"tune": TuneSettings()}, {"pictures": False}, {"model": "other"}):
        assert not shown_native(real, SETTINGS.model_copy(update=changed))
    assert "picture_form" in unused(SummarizeSettings())
    assert features_version(real)
    assert features_version(embedded) == features_version(ModelSettings(name="embedded-small")) == {}
