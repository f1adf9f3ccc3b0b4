"""The settings of all rankers together: a table for each, the recipe's errors, and what a search may try."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from test_registry import SETTINGS

from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.registry.registry import CONTENT
from mmsrarec.rankers.registry.settings import SPACES, BaselineSettings, encoder_settings, space_of, table_of
from mmsrarec.rankers.sequence_model import ItemTokensSettings
from mmsrarec.retrieve.settings import ENCODERS, ITEM_TOKENS, EncoderName, RetrieveSettings
from mmsrarec.runs.recipe import load_recipe, to_toml


def test_rows_with_settings_are_those_that_a_search_knows() -> None:
    assert {*SETTINGS, *CONTENT, *ENCODERS} == SPACES.keys()
    assert {name.replace("-", "_") for name in SPACES} == BaselineSettings.model_fields.keys()
    for name, space in SPACES.items():
        for place in range(max(map(len, space.values()))):
            values = {key: options[place % len(options)] for key, options in space.items()}
            assert values.items() <= BaselineSettings().with_row(name, values).of(name).items() | {("k", None)}
    assert space_of("mmsrarec") == space_of("popularity") == {}


def test_rows_without_a_table_have_nothing_set() -> None:
    assert BaselineSettings().of("popularity") == BaselineSettings().of("neighbours-only") == {}
    assert BaselineSettings().settings("popularity").model_dump() == {}


def test_unknown_tables_and_keys_are_refused() -> None:
    for tables, place in (({"no_such": {}}, ("no_such",)), ({"als": {"l2": 1}}, ("als", "l2"))):
        with pytest.raises(ValidationError) as told:
            BaselineSettings.model_validate(tables)
        (problem,) = told.value.errors()
        assert (problem["type"], problem["loc"]) == ("extra_forbidden", place)


def test_a_sequence_model_has_its_own_settings_and_stage_2s_are_those_of_retrieve() -> None:
    own = RetrieveSettings(embedding_size=16, learning_rate=0.01)
    tables = BaselineSettings.model_validate({"gru4rec": {"embedding_size": 32, "dropout": 0.5}, "sasrec": {}})
    found = encoder_settings(own, tables, "gru4rec")
    assert (found.encoder, found.embedding_size, found.dropout, found.learning_rate) == ("gru4rec", 32, 0.5, 0.01)
    assert encoder_settings(own, tables, "sasrec") is own
    assert encoder_settings(own, tables, "bert4rec") == own.model_copy(update={"encoder": "bert4rec"})
    with pytest.raises(MmsrarecError, match=r"sasrec is the encoder of stage 2, set retrieve\.learning_rate instead"):
        encoder_settings(own, BaselineSettings.model_validate({"sasrec": {"learning_rate": 0.1}}), "sasrec")
    with pytest.raises(MmsrarecError, match=r"evaluate\.baselines\.bert4rec.*heads \(2\) must divide dims \(9\)"):
        encoder_settings(own, BaselineSettings.model_validate({"bert4rec": {"embedding_size": 9}}), "bert4rec")


@pytest.mark.parametrize("name", ITEM_TOKENS)
def test_item_tokens_have_usual_settings_of_their_own(name: EncoderName) -> None:
    """What suits a small transformer suits no layers of a language model."""
    own, usual = RetrieveSettings(n_layers=1, dropout=0.7, max_length=9), ItemTokensSettings()
    found = encoder_settings(own, BaselineSettings(), name)
    assert (found.n_layers, found.dropout, found.epochs) == (usual.n_layers, usual.dropout, usual.epochs)
    assert found.max_length == 9
    tables = BaselineSettings.model_validate({table_of(name): {"n_layers": 2, "body_learning_rate": 1e-5}})
    found = encoder_settings(own, tables, name)
    assert (found.n_layers, found.body_learning_rate, found.dropout) == (2, 1e-5, usual.dropout)
    searching = own.model_copy(update={"encoder": name})
    assert encoder_settings(searching, BaselineSettings(), name) is searching
    with pytest.raises(MmsrarecError, match=r"is the encoder of stage 2, set retrieve\.n_layers instead"):
        encoder_settings(searching, tables, name)


def test_tables_of_baselines_are_read_and_written(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'name = "a"\ndata = "d"\n[evaluate.baselines.als]\nalpha = 5\n'
        "[evaluate.baselines.gru4rec]\nlearning_rate = 0.01\n"
    )
    recipe = load_recipe(tmp_path / "a.toml", ["evaluate.baselines.item_knn.k=20", "evaluate.tune_baselines=4"])
    assert (recipe.evaluate.baselines.als.alpha, recipe.evaluate.baselines.item_knn.k) == (5, 20)
    (tmp_path / "b.toml").write_text(to_toml(recipe))
    assert load_recipe(tmp_path / "b.toml") == recipe
    with pytest.raises(MmsrarecError, match=r"did you mean evaluate\.baselines\.ease\.l2"):
        load_recipe(tmp_path / "a.toml", ["evaluate.baselines.ease.l3=1"])
    with pytest.raises(MmsrarecError, match=r"unknown key evaluate\.baselines\.eaze"):
        load_recipe(tmp_path / "a.toml", ["evaluate.baselines.eaze.l2=1"])
