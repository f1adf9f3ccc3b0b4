"""Settings of the rankers put together: a table for each that has any, and the values that a search may try.

Free of torch and scipy, so that a recipe can be read without them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.als import AlsSettings
from mmsrarec.rankers.ease import EaseSettings
from mmsrarec.rankers.graph_paths.mgrasrec_style import MgrasrecStyleSettings
from mmsrarec.rankers.item_knn import ItemKnnSettings
from mmsrarec.rankers.popularity import RecentPopularitySettings
from mmsrarec.rankers.registry.built_in import BUILT_IN
from mmsrarec.rankers.registry.plugins import plugin_class, plugins
from mmsrarec.rankers.sequence_model import ItemTokensSettings, SequenceModelSettings, SpeederStyleSettings
from mmsrarec.rankers.sequential_rules import SequentialRulesSettings
from mmsrarec.rankers.two_tower.bpr import BprSettings
from mmsrarec.rankers.two_tower.freedom_style import FreedomStyleSettings
from mmsrarec.rankers.two_tower.mllmrec_style import MllmrecStyleSettings
from mmsrarec.rankers.two_tower.vbpr import VbprSettings
from mmsrarec.rankers.user_knn import UserKnnSettings
from mmsrarec.retrieve.settings import EncoderName, RetrieveSettings


class BaselineSettings(BaseModel):
    """A table for each baseline that has settings. Rankers of other packages have a table by their name too."""

    model_config = ConfigDict(extra="allow", frozen=True)

    als: AlsSettings = AlsSettings()
    ease: EaseSettings = EaseSettings()
    bpr: BprSettings = BprSettings()
    vbpr: VbprSettings = VbprSettings()
    freedom_style: FreedomStyleSettings = FreedomStyleSettings()
    mllmrec_style: MllmrecStyleSettings = MllmrecStyleSettings()
    mllmrec_leaky: MllmrecStyleSettings = MllmrecStyleSettings()
    mgrasrec_style: MgrasrecStyleSettings = MgrasrecStyleSettings()
    item_knn: ItemKnnSettings = ItemKnnSettings()
    user_knn: UserKnnSettings = UserKnnSettings()
    sequential_rules: SequentialRulesSettings = SequentialRulesSettings()
    recent_popularity: RecentPopularitySettings = RecentPopularitySettings()
    sasrec: SequenceModelSettings = SequenceModelSettings()
    gru4rec: SequenceModelSettings = SequenceModelSettings()
    bert4rec: SequenceModelSettings = SequenceModelSettings()
    content_sasrec: SequenceModelSettings = SequenceModelSettings()
    item_tokens: ItemTokensSettings = ItemTokensSettings()
    item_tokens_random: ItemTokensSettings = ItemTokensSettings()
    speeder_style: SpeederStyleSettings = SpeederStyleSettings()

    @model_validator(mode="before")
    @classmethod
    def _tables_of_plugins(cls, content: Any) -> Any:
        """Other tables are those of plug-ins, each read by the settings class of its ranker."""
        if not isinstance(content, Mapping):
            return content
        tables = cast("Mapping[str, Any]", content)
        rows, parsed = {table_of(name): name for name in plugins()}, dict(tables)
        problems: list[InitErrorDetails] = []
        for table in tables.keys() - cls.model_fields.keys():
            if table not in rows:
                problems.append({"type": "extra_forbidden", "loc": (table,), "input": tables[table]})
                continue
            try:
                parsed[table] = plugin_class(rows[table]).Settings.model_validate(tables[table])
            except ValidationError as error:
                problems += [_inside(table, problem) for problem in error.errors(include_url=False)]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return parsed

    def settings(self, row: str) -> BaseModel:
        """The settings of a ranker, by its row's name; the usual ones where it has no table here."""
        own = getattr(self, table_of(row), None)
        return own if own is not None else (BUILT_IN.get(row) or plugin_class(row)).Settings()

    def of(self, row: str) -> dict[str, Any]:
        """What is set for a row, by its name in the table; {} for a row without settings."""
        own = getattr(self, table_of(row), None)
        if own is None and row in plugins() and row not in BUILT_IN:
            own = self.settings(row)
        return own.model_dump(exclude_none=isinstance(own, SequenceModelSettings)) if own is not None else {}

    def with_row(self, row: str, values: Mapping[str, Any]) -> "BaselineSettings":
        """The same with other values for a row."""
        own = self.settings(row)
        changed = type(own).model_validate(own.model_dump() | dict(values))
        return self.model_copy(update={table_of(row): changed})


def _inside(table: str, problem: Any) -> InitErrorDetails:
    """A problem of a table, placed in that table."""
    details: dict[str, Any] = {"type": problem["type"], "loc": (table, *problem["loc"]), "input": problem["input"]}
    return InitErrorDetails(**details, **({"ctx": problem["ctx"]} if "ctx" in problem else {}))


def encoder_settings(retrieve: RetrieveSettings, baselines: BaselineSettings, name: EncoderName) -> RetrieveSettings:
    """The settings of a sequence model.

    Args:
        retrieve: The settings of stage 2, which are those of its own encoder.
        baselines: The settings of rows, which for any other sequence model override those of stage 2.
        name: The sequence model.

    Raises:
        MmsrarecError: Stage 2's own encoder has a table among the baselines, or the settings do not fit together.
    """
    own, usual = baselines.of(name), BaselineSettings().of(name)
    table = f"evaluate.baselines.{table_of(name)}"
    if name == retrieve.encoder:
        if changed := [setting for setting in own if own[setting] != usual.get(setting)]:
            raise MmsrarecError(f"{table}: {name} is the encoder of stage 2, set retrieve.{changed[0]} instead")
        return retrieve
    try:
        return RetrieveSettings.model_validate(retrieve.model_dump() | own | {"encoder": name})
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise MmsrarecError(f"{table}, with [retrieve] where it sets nothing: {message}") from error


def table_of(row: str) -> str:
    """The table of a row's settings: "item-knn" has [evaluate.baselines.item_knn]."""
    return row.replace("-", "_")


def space_of(row: str) -> Mapping[str, Sequence[Any]]:
    """The values that a search may try for each setting of a row.

    Args:
        row: Name of any row.

    Returns:
        Setting to its values; empty for a row that is no ranker or has nothing to search for.
    """
    if row in BUILT_IN:
        return BUILT_IN[row].search_space
    return plugin_class(row).search_space if row in plugins() else {}


SPACES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    name: ranker.search_space for name, ranker in BUILT_IN.items() if ranker.search_space
}
"""`space_of` the rankers of this library that have one."""
