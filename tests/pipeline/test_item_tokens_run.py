"""Rows whose layers are the language model's, in a run: what they are made of, and when they are made again."""

from pathlib import Path

import pytest
import torch
from finished import RECIPE, done, evaluated, go, recipe_in, report_of
from world import save_tiny

from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.models.sequence.item_tokens import ItemTokens
from mmsrarec.models.sequence.speeder_style import SpeederStyle
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.retrieve.settings import ITEM_TOKENS
from mmsrarec.runs.run_folder import RunFolder

ROWS = ("popularity", "sasrec", *ITEM_TOKENS)
TABLES = ("item_tokens", "item_tokens_random", "speeder_style")
FEW = (
    f"evaluate.rows={list(ROWS)}",
    "evaluate.splits=['leave-one-out']",
    "evaluate.shown_users=0",
    *(f"evaluate.baselines.{table}.epochs=2" for table in TABLES),
    *(f"evaluate.baselines.{table}.n_layers=1" for table in TABLES),
)
PART = "sequence/leave-one-out/"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a recipe and a finished run of these rows."""
    folder = tmp_path_factory.mktemp("tokens")
    draw_catalogue(folder / "data", seed=3, items=60, shoppers=60)
    save_tiny(folder / "model")
    head, parts = RECIPE.split("[model]")
    text = f'{head}data = "{folder / "data"}"\n[model]\nname = "{folder / "model"}"{parts}'
    (folder / "tiny.toml").write_text(text)
    _, said = go(folder, *FEW)
    assert {PART + name for name in ITEM_TOKENS} <= done(said)
    return folder


def test_they_are_rows_of_both_protocols(place: Path) -> None:
    rows = {(row["model"], row["protocol"]) for row in report_of(place)["rows"]}
    assert {(name, protocol) for name in ROWS for protocol in ("published", "full")} <= rows


def test_they_hold_layers_of_the_runs_own_model(place: Path) -> None:
    run_folder = RunFolder(recipe_in(place, *FEW), place / "run")
    layers = {}
    for name in ITEM_TOKENS:
        encoder = run_folder.encoder("leave-one-out", name)
        assert isinstance(encoder.model, ItemTokens)
        assert SequenceRanker.of(encoder).name == name
        layers[name] = encoder.model.layers.state_dict()
        assert encoder.model.body.config["num_hidden_layers"] == 1
    own = run_folder.mllm.decoder.state_dict()
    name = "layers.0.mlp.down_proj.weight"

    def nearness(row: str) -> float:
        return torch.cosine_similarity(layers[row][name].flatten(), own[name].float().flatten(), dim=0).item()

    assert nearness("item-tokens") > 0.99
    assert nearness("speeder-style") > 0.99
    assert abs(nearness("item-tokens-random")) < 0.1


def test_pictures_are_told_where_the_model_has_an_expert_for_them(place: Path) -> None:
    run_folder = RunFolder(recipe_in(place, *FEW), place / "run")
    model = run_folder.encoder("leave-one-out", "speeder-style").model
    assert isinstance(model, SpeederStyle)
    pictured = {code for code in range(60) if model.items.content[code, model.items.text_dims :].any()}
    assert pictured == {*run_folder.features}
    assert len(pictured) > 0


def test_a_setting_of_one_row_touches_that_row_alone(place: Path) -> None:
    assert not done(go(place, *FEW)[1])
    _, said = go(place, *FEW, "evaluate.baselines.item_tokens.body_learning_rate=0.001")
    assert done(said) == {PART + "item-tokens"}
    assert {line.partition(",")[0] for line in evaluated(said)} == {"item-tokens"}
    _, said = go(place, *FEW, "evaluate.baselines.speeder_style.order_weight=0.2")
    assert done(said) == {PART + "item-tokens", PART + "speeder-style"}
