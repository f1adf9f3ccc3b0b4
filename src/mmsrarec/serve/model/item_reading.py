"""Reads an item that is written to a running server: its picture and its text become keywords, as in stage 1."""

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.images import BadPicture, decode_picture
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import PROJECTOR, projector_of
from mmsrarec.models.untyped import load_tensors
from mmsrarec.models.vision import image_features
from mmsrarec.models.vision.class_words import WordProbabilities
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.item_states import item_states
from mmsrarec.runs.answers.without_model import NoPrompts
from mmsrarec.runs.changes.joined_items import reads_states
from mmsrarec.runs.recommender import Recommender
from mmsrarec.serve.model.joined_rows import feature_bytes
from mmsrarec.serve.state.item_rows import ItemRow, Summary
from mmsrarec.summarize.keyword_parsing import fallback
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.detection import CatalogueWords, lexicons
from mmsrarec.summarize.summarizer import summarize

NO_MODEL = "the run has no language model: the first telling words of the text are its keywords"
OTHER_MODEL = (
    "the run's keywords are by {model}, which the server does not ask: the first telling words of the text are its "
    "keywords until mmsrarec update asks it"
)
IN_MEMORY = ":memory:"
"""The store of the model's answers: what is read here is kept in the state, not in the run."""


@dataclass(frozen=True, eq=False)
class ItemReader:
    """Reads single items with the model that summarized the run's catalogue. It is loaded when it is first needed.

    Attributes:
        recommender: A loaded run.
    """

    recommender: Recommender

    def read(self, item: Item, picture: bytes | None, in_stock: bool) -> ItemRow:
        """What the state keeps of an item: a picture that cannot be used is left out, with the reason."""
        notes: list[str] = []
        ending = ""
        if picture is not None:
            try:
                _, ending = decode_picture(picture)
            except BadPicture as reason:
                notes.append(f"the picture is not used: {reason}")
                picture = None
        if isinstance(self.recommender.prompts, NoPrompts):
            notes.append(NO_MODEL)
            keywords, feature = self._first_words(item), None
        else:
            keywords, feature = self._read(item, picture, ending, notes)
        summary = Summary(keywords.image[0], keywords.text[0], keywords.languages[0], tuple(notes))
        return ItemRow(item, True, in_stock, False, summary, picture is not None, picture, feature)

    def _first_words(self, item: Item) -> Keywords:
        """The first telling words of the text, where no model writes keywords."""
        lexicon = lexicons([item], catalogue_words=self._words)[0]
        limit = self.recommender.run_folder.recipe.summarize.max_keywords_text
        words = fallback(item, limit, lexicon)
        return Keywords(((),), (words,), (("none", "fallback"),), ((None, None),), (), lexicon.languages[:1])

    def _read(self, item: Item, picture: bytes | None, ending: str, notes: list[str]) -> tuple[Keywords, bytes | None]:
        """Keywords of an item, and what models see of it; what else should be known is added to the notes."""
        run_folder, settings = self.recommender.run_folder, self.recommender.run_folder.recipe.summarize
        with tempfile.TemporaryDirectory(prefix="mmsrarec-item-") as folder:
            name = None
            if picture is not None:
                name = f"picture.{ending}"
                (Path(folder) / name).write_bytes(picture)
            nothing = np.zeros(0, dtype=np.int64)
            alone = Item(item.item_id, item.title, item.text, item.categories, name)
            dataset = Dataset(
                "one item", (alone,), (), make_interactions(nothing, nothing, nothing, 0, 1), image_root=Path(folder)
            )
            features: image_features.Features = {}
            words: dict[int, WordProbabilities] = {}
            if name is not None:
                seen = image_features.encode_catalogue_images(self._mllm, dataset, settings.visual_tokens)
                features, words = seen.features, seen.words
                notes += [f"the picture is not used: {reason}" for reason in seen.rejected.values()]
            keywords = self._keywords(dataset, features, words, notes)
        if picture is not None and run_folder.served and not features:
            notes.append("the run's model reads no pictures")
        try:
            state = self._state(dataset, keywords, features)
        except MmsrarecError as error:
            notes.append(f"sequence models do not know the item: {error}")
            state = None
        return keywords, feature_bytes(features.get(0), state)

    def _keywords(
        self,
        dataset: Dataset,
        features: image_features.Features,
        words: dict[int, WordProbabilities],
        notes: list[str],
    ) -> Keywords:
        """Keywords of a single item, by the model that summarized the catalogue where that is here and answers."""
        settings = self.recommender.run_folder.recipe.summarize
        try:
            if settings.model is not None:
                raise MmsrarecError(OTHER_MODEL.format(model=settings.model))
            return summarize(
                dataset,
                self._mllm,
                settings,
                IN_MEMORY,
                features,
                tuned=settings.tune is not None,
                words=self._words,
                image_words=words,
            )
        except MmsrarecError as reason:  # as well where the model failed on every question about this item
            notes.append(str(reason))
            return self._first_words(dataset.items[0])

    def _state(self, dataset: Dataset, keywords: Keywords, features: image_features.Features) -> Tensor | None:
        """(d,) what the untuned model makes of a single item; None where no sequence model of the run reads that."""
        if self._untuned is None:
            return None
        settings = self.recommender.run_folder.recommend_settings("whole")
        pooled = image_features.pool(features, settings.visual_tokens) if settings.prompt_fields.pictures else {}
        return item_states(Prompts(self._untuned, dataset, keywords, pooled, settings))[0]

    @cached_property
    def _words(self) -> CatalogueWords | None:
        """The words of the catalogue when it was first summarized, so that an item that joins is read as the others."""
        return CatalogueWords.load(self.recommender.run_folder.folder / "summarize")

    @cached_property
    def _untuned(self) -> Mllm | None:
        """The untuned model, as deep as the ranking one, whose states sequence models read; None where none does."""
        return self.recommender.run_folder.ranker("whole") if reads_states(self.recommender) else None

    @cached_property
    def _mllm(self) -> Mllm:
        """The whole model that summarized the catalogue; the ranking model is shorter and tuned."""
        run_folder = self.recommender.run_folder
        mllm = run_folder.policy() if run_folder.recipe.summarize.tune is not None else run_folder.mllm
        projector = run_folder.folder / "pictures" / PROJECTOR
        if projector.is_file():
            projector_of(mllm).load_state_dict(load_tensors(projector))
        return mllm
