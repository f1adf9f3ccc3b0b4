"""Says what is wrong with a body that is not as the schema says, in words of the schema and not of its library.

Where the schema allows several forms, pydantic reports what each of them lacks, and puts a name of its own for the form
into the place. Here the form is chosen that the body evidently means, and the names are taken out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mmsrarec.serve.schema.limits import NO_CONTROLS, NO_NUL

PATTERNS = {
    NO_CONTROLS: "holds a control character, or U+FFFD, which stands for bytes that are no UTF-8",
    NO_NUL: "holds the character 0",
}
OBJECTS = ("model_type", "model_attributes_type", "dict_type", "dataclass_type")
INPUT = "Input should be "
MAX_FAULTS = 20
MAX_PLACE, MAX_MESSAGE = 200, 300
"""Characters."""
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        kind: The type of pydantic's error.
        place: Names of fields and numbers of places, the outermost first; between them the forms that
            were tried.
        message: A sentence.
    """

    kind: str
    place: Place
    message: str


def faults(errors: Sequence[Mapping[str, Any]], body: object) -> list[Fault]:
    """What is wrong with a call.

    Args:
        errors: As pydantic reports them.
        body: What was sent, read as JSON.
    """
    problems = [Fault(str(error["type"]), tuple(error["loc"]), _message(error)) for error in errors]
    while forms_at := _by_form(problems, body):
        place_of = {id(one): place for place, forms in forms_at.items() for form in forms.values() for one in form}
        after = list[Fault]()
        for fault in problems:  # the faults of a place with several forms stand where the first of them stood
            if id(fault) not in place_of:
                after.append(fault)
            elif forms := forms_at.pop(place := place_of[id(fault)], None):
                after += _meant(forms, len(place))
        problems = after
    return problems[:MAX_FAULTS]


def as_sent(problems: Sequence[Fault]) -> list[dict[str, str]]:
    """The faults as they are sent."""
    return [
        {"place": ".".join(map(str, fault.place))[:MAX_PLACE], "message": fault.message[:MAX_MESSAGE]}
        for fault in problems
    ]


def _message(error: Mapping[str, Any]) -> str:
    """What pydantic says, without its own words."""
    kind, context = str(error["type"]), cast(Mapping[str, Any], error.get("ctx") or {})
    if kind in OBJECTS:
        return f"{INPUT}an object"
    if kind == "string_pattern_mismatch" and context.get("pattern") in PATTERNS:
        return PATTERNS[str(context["pattern"])]
    return str(error["msg"]).removeprefix("Value error, ")


def _by_form(problems: Sequence[Fault], body: object) -> dict[Place, dict[str | int, list[Fault]]]:
    """The faults at places with several forms, by place and form."""
    forms_at: dict[Place, dict[str | int, list[Fault]]] = {}
    for fault in problems:
        length = _length_in_body(fault, body)
        if length < len(fault.place):
            forms_at.setdefault(fault.place[:length], {}).setdefault(fault.place[length], []).append(fault)
    return forms_at


def _length_in_body(fault: Fault, body: object) -> int:
    """How many parts of a place lead from field to field of the body; the next one names a form."""
    if fault.place[:1] != ("body",):
        return len(fault.place)
    value = body
    for length, part in enumerate(fault.place[1:], start=1):
        if isinstance(value, Mapping) and part in value:
            value = cast(Mapping[object, object], value)[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(cast(list[object], value)):
            value = cast(list[object], value)[part]
        elif fault.kind == "missing" and length == len(fault.place) - 1:
            return len(fault.place)
        else:
            return length
    return len(fault.place)


def _meant(forms: Mapping[str | int, Sequence[Fault]], length: int) -> list[Fault]:
    """The faults of the form that the body evidently means, without the name of the form.

    That is the form of the same type with the fewest unknown fields; the first of several. Where no form is of the same
    type, one fault names all types.

    Args:
        forms: The faults by form.
        length: Of the place.
    """
    of_type = {
        form: problems
        for form, problems in forms.items()
        if not any(len(fault.place) == length + 1 and fault.kind.endswith("_type") for fault in problems)
    }
    if not of_type:
        firsts = [problems[0] for problems in forms.values()]
        types = dict.fromkeys(fault.message.removeprefix(INPUT) for fault in firsts)
        return [Fault(firsts[0].kind, firsts[0].place[:length], INPUT + " or ".join(types))]
    best = min(of_type.values(), key=lambda problems: sum(fault.kind == "extra_forbidden" for fault in problems))
    return [Fault(fault.kind, fault.place[:length] + fault.place[length + 1 :], fault.message) for fault in best]
