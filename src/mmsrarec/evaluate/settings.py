"""Settings of the comparison."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mmsrarec.core.files import absolute
from mmsrarec.data.splits import OWN_SPLIT, RepeatConsumption, SplitName
from mmsrarec.evaluate.reference_results import ReferenceName
from mmsrarec.rankers.registry.settings import BaselineSettings


class MsrSettings(BaseModel):
    """Lengths of the texts that the row "mllm-msr" reads and writes. It is tuned with the settings of MMSRARec."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chunk: int = Field(default=3, ge=1, le=50, description="items of history that one update of a preference reads")
    text_tokens: int = Field(default=40, ge=1, le=512, description="tokens of an item's title and text that it reads")
    description_tokens: int = Field(default=24, ge=1, le=512, description="tokens that it writes on a picture, at most")
    preference_tokens: int = Field(
        default=48, ge=1, le=1024, description="tokens that it writes on a preference each time, at most"
    )


class EvaluateSettings(BaseModel):
    """The models that are compared, the users they are compared on, and the statistics of the comparison."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: tuple[str, ...] = Field(
        default=(
            "random",
            "popularity",
            "popularity-as-of",
            "recent-popularity",
            "sequential-rules",
            "item-knn",
            "user-knn",
            "als",
            "ease",
            "sasrec",
            "gru4rec",
            "bert4rec",
            "content-sasrec",
            "neighbours-only",
            "plain-fine-tuning",
            "mmsrarec",
        ),
        min_length=1,
        description="names of the models to compare, in the order of the table",
    )
    ablations: tuple[str, ...] = Field(
        default=(), description="variants of MMSRARec that are trained and measured on the first split as well"
    )
    splits: tuple[SplitName, ...] = Field(
        default=("leave-one-out", "user-8-1-1"), min_length=1, description="how users or interactions are held out"
    )
    split_file: Path | None = Field(
        default=None,
        description='table with user_id and part (train, validation or test) of each user, for the split "file"; the '
        "last interaction of a user of validation or test is the target",
    )
    fitted_on: Literal["train", "train+validation"] = Field(
        default="train",
        description="interactions that rows without a language model are fitted on for the test; sequence models "
        "choose on validation how long to train, then train anew for as long; stage 2's own never sees validation "
        "interactions",
    )
    repeat_consumption: RepeatConsumption = Field(
        default="exclude",
        description="items that a user consumed. exclude: no row recommends them, and full ranking leaves out a query "
        "whose target was consumed before; allow: every row ranks them like all others",
    )
    sealed: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="share of the test users, by a hash of their id, that every table leaves out until it is final, so "
        "that nobody makes choices by their figures",
    )
    open_sealed: bool = Field(
        default=False,
        description="the table is final: it ranks all test users, and the sealed ones are also reported apart",
    )
    baselines: BaselineSettings = Field(default_factory=BaselineSettings, description="a table for each baseline")
    tune_baselines: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="settings tried for each baseline, with the recipe's own; the one with the best validation NDCG@10 "
        "in full ranking is used; 0: no search",
    )
    reference_results: ReferenceName | None = Field(
        default=None, description="data set whose published figures the report shows beside its own"
    )
    negatives: int = Field(
        default=20, ge=1, le=10_000, description="items never consumed, beside the target (published: 20)"
    )
    n_candidates: int = Field(
        default=50, ge=1, description="items that the generator proposes to the language model in full ranking"
    )
    combine_generators: bool = Field(
        default=True,
        description="whether several generators propose together, where that finds more validation targets",
    )
    fusion_users: int = Field(
        default=300,
        ge=0,
        description="validation users at most on whom the weights of the language model and the candidate generators "
        "are learned; 0: no fusion",
    )
    shown_users: int = Field(
        default=10, ge=0, le=1000, description="users whose recommendations the report shows in full"
    )
    diagnosed_users: int = Field(
        default=200,
        ge=0,
        description="test users of the first split, at most, for whom the language model and the sequence models rank "
        "three times more, with changed histories; each costs the language model as much as a user of the table; 0: "
        "none",
    )
    n_seeds: int = Field(
        default=1,
        ge=1,
        le=100,
        description="runs after stage 1, with the recipe's seed and those that follow: split, candidates and training "
        "are drawn anew; a comparison needs at least 3",
    )
    resamples: int = Field(
        default=2000, ge=100, le=100_000, description="bootstrap draws over users behind an interval"
    )
    mllm_msr: MsrSettings = Field(default_factory=MsrSettings, description='texts of the row "mllm-msr"')

    @field_validator("split_file")
    @classmethod
    def _absolute_split_file(cls, path: Path | None) -> Path | None:
        return None if path is None else absolute(path)

    @model_validator(mode="after")
    def _file_and_split_belong_together(self) -> Self:
        if OWN_SPLIT in self.splits and self.split_file is None:
            raise ValueError('splits names "file": name the file as evaluate.split_file')
        if OWN_SPLIT not in self.splits and self.split_file is not None:
            raise ValueError('split_file is not used: name "file" among evaluate.splits')
        return self
