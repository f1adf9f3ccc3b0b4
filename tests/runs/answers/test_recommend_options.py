"""What type checkers are told of a recommender's keywords is what its methods take, by name and by type."""

import inspect
from collections.abc import Callable
from typing import Any, get_args, get_overloads, get_type_hints

import pytest

from mmsrarec.core.progress import Progress
from mmsrarec.runs.answers.options import Options, PreferenceOptions, TableOptions
from mmsrarec.runs.recommender import Recommender

LATE_NAMES = {"Callable": Callable, "Progress": Progress}
"""Names that `Reported` is written with, as text."""


def keywords_of(signature: Callable[..., Any]) -> dict[str, Any]:
    """The type of each argument of an overload, those of its keyword options among them."""
    types = get_type_hints(signature, localns=LATE_NAMES)
    types.pop("return")
    types.pop("self", None)
    for option in get_args(types.pop("how", None)):
        types |= get_type_hints(option, localns=LATE_NAMES)
    return types


@pytest.mark.parametrize("method", [Recommender.recommend, Recommender.score])
def test_the_overloads_of_a_method_offer_all_that_it_takes_with_the_same_types(method: Callable[..., Any]) -> None:
    taken = keywords_of(method)
    assert set(taken) == set(inspect.signature(method).parameters) - {"self"}
    offered = [keywords_of(signature) for signature in get_overloads(method)]
    assert len(offered) == 2  # one answer, or a table
    assert set().union(*offered) == set(taken)
    for keywords in offered:
        narrowed = {name for name in keywords if keywords[name] != taken[name]}
        assert narrowed <= {"users"}  # which the overload of a table may demand


def test_one_answer_and_a_table_are_asked_for_with_the_same_words() -> None:
    one, many = (keywords_of(signature) for signature in get_overloads(Recommender.recommend))
    assert set(one) - set(many) == {"user", "history"}
    assert set(many) - set(one) == {"users", "histories", "progress"}


@pytest.mark.parametrize("options", [PreferenceOptions, Options, TableOptions])
def test_every_option_may_be_left_out_and_the_method_then_has_a_value_for_it(options: Any) -> None:
    assert options.__required_keys__ == frozenset()
    parameters = inspect.signature(Recommender.recommend).parameters
    for name in options.__optional_keys__:
        assert parameters[name].default is not inspect.Parameter.empty
