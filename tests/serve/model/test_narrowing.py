"""Which items are variants of one product, and what filters allow."""

import pytest
from served import Served

from mmsrarec.data.dataset import Item
from mmsrarec.serve.model.narrowing import product_name
from mmsrarec.serve.schema.recommending import RecommendAsked


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("T-shirt, red, M", "T-Shirt, blue, XL", True),
        ("Linen shirt red", "Linen shirt blue", True),
        ("Water bottle 500 ml", "Water bottle 750 ml", True),
        ("Lamp (oak)", "Lamp (ash)", True),
        ("Clay mug - large", "Clay mug - small", True),
        ("Clay mug", "Clay plate", False),
        ("Red", "Blue", False),
        ("", "", False),
        ("粘土杯", "粘土盘", False),
    ],
)
def test_variants_of_one_product(one: str, other: str, same: bool) -> None:
    names = product_name(Item("1", one)), product_name(Item("2", other))
    assert (names[0] is not None and names[0] == names[1]) == same


def test_one_variant_of_a_product_is_named(own: Served) -> None:
    for number, colour in enumerate(("red", "blue", "green")):
        own.ok("PUT", f"/v1/items/v{number}", {"title": f"Linen napkin, {colour}", "text": f"{colour} cloth"})
    variants = ["v0", "v1", "v2"]
    assert set(own.ids(user=own.user(), among=variants)) == set(variants)
    assert len(own.ids(user=own.user(), among=variants, one_per_product=True)) == 1


def test_what_has_no_effect_is_said(server: Served) -> None:
    run = server.service.run()
    question = RecommendAsked(categories=["Nowhere"], exclude=["none"], boosts={"no": 1}, pinned=["none", "nix"])
    may, notes = run.narrowing.allowed(run.recommender, question, ["also none"])
    rules = run.narrowing.arrangement(run.recommender, question, ["also none"], notes)
    assert not may.any()
    assert not rules.pinned
    assert all(any(word in note for note in notes) for word in ("Nowhere", "none", "no", "nix"))
