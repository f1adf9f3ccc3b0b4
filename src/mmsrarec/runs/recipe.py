"""A recipe: everything a run depends on, read from a TOML file and overridden by `--set a.b=c`."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmsrarec.core.files import absolute
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.errors import RecipeError
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.models.backbone.settings import EMBEDDED_NAMES, ModelSettings
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.runs.renamed_settings import RENAMED_SETTINGS
from mmsrarec.summarize.settings import SummarizeSettings

PACKAGE = Path(__file__).parents[1]
SHIPPED = (PACKAGE / "recipes", PACKAGE.parents[1] / "recipes")  # an installed wheel, a checkout


class RuntimeSettings(EngineSettings):
    """How the work is done, not what comes out: no part of any key, free to change between two runs of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = Field(
        default="cpu", description='torch device, such as "cpu" or "cuda"; "auto": the fastest that is there'
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="threads of torch; not set: as many as it chooses"
    )
    generate_batch: int = Field(
        default=64, ge=1, le=4096, description="prompts answered at once when items are summarized"
    )
    tune_rows: int = Field(default=32, ge=1, le=4096, description="answers that tuning of stage 1 trains on at once")
    train_tokens: int = Field(
        default=16_384,
        ge=64,
        description="tokens of prompts that the language model is trained on at once; a larger batch adds up gradients",
    )
    processes: int = Field(
        default=1, ge=1, le=256, description="processes that draw the training prompts of stage 3 side by side"
    )
    score_tokens: int = Field(
        default=8192,
        ge=64,
        description="tokens of prompts that the language model ranks at once; on a processor 4,096 at most",
    )
    compile_layers: bool = Field(
        default=False,
        description="compile norms and feed-forward parts of the language model where it ranks and writes keywords "
        "(torch.compile); on cuda only; scripts/gpu_check.py measures whether it pays",
    )


class Recipe(BaseModel):
    """One run, from a data folder to a report. The parts in order of the stages; `seed` starts all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="of the run and its folder")
    seed: int = Field(default=0, ge=0, lt=2**32, description="every random draw follows from it")
    data: Annotated[Path, AfterValidator(absolute)] = Field(
        description="the data folder; a relative one is looked for from the current folder"
    )
    model: ModelSettings = Field(default_factory=ModelSettings)
    summarize: SummarizeSettings = Field(default_factory=SummarizeSettings)
    retrieve: RetrieveSettings = Field(default_factory=RetrieveSettings)
    recommend: RecommendSettings = Field(default_factory=RecommendSettings)
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)
    runtime: RuntimeSettings = Field(default_factory=RuntimeSettings)

    @model_validator(mode="after")
    def _has_native_pictures(self) -> "Recipe":
        """Refuse what would fail after all pictures were read."""
        if self.summarize.picture_form == "native" and self.model.name in EMBEDDED_NAMES:
            raise ValueError(
                'the embedded model learned pictures as averaged tokens: leave summarize.picture_form = "native" out'
            )
        return self


def load_recipe(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: A file, or the name of a shipped recipe.
        overrides: "a.b=c", c as TOML writes it.

    Raises:
        RecipeError: Anything is wrong; one line names the file and the key.
    """
    path = find_recipe(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"{path} is not a readable TOML file: {error}") from error
    origin: dict[str, str] = {}
    for override in overrides:
        dotted, value = parse_override(override)
        _put(raw, dotted, value, override)
        origin[dotted] = f"--set {override}"
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(_explain(error, str(path), origin)) from error


def find_recipe(path: str | Path) -> Path:
    """The recipe's file: the path itself, or a shipped recipe of that name, with or without .toml."""
    path = Path(path)
    name = path if path.suffix == ".toml" or not path.name else path.with_name(f"{path.name}.toml")
    for candidate in (path, *(folder / name.name for folder in SHIPPED if path.parent == Path())):
        if candidate.is_file():
            return candidate
    shipped = sorted({file.stem for folder in SHIPPED for file in folder.glob("*.toml")})
    raise RecipeError(f"no recipe {path}: name a TOML file, or one of the shipped {', '.join(shipped) or '(none)'}")


def parse_override(text: str) -> tuple[str, Any]:
    """("a.b", value) from "a.b=value". What is not TOML by itself, such as a bare word or a path, is a string."""
    dotted, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not all(dotted.split(".")):
        raise RecipeError(f"--set {text}: expected KEY=VALUE, such as --set recommend.epochs=2")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except RecursionError as error:
        raise RecipeError(f"--set {dotted}: the value is nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        if value[:1] in ('"', "'", "[", "{") or "\n" in value:
            raise RecipeError(f"--set {text!r}: {error}") from error
        return dotted, value
    if set(parsed) != {"value"}:
        raise RecipeError(f"--set {text!r}: one value at a time")
    return dotted, parsed["value"]


def _put(raw: dict[str, Any], dotted: str, value: Any, override: str) -> None:
    *parents, last = dotted.split(".")
    for name in parents:
        table: object = raw.setdefault(name, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {override}: {name} is a value, not a table")
        raw = cast(dict[str, Any], table)
    raw[last] = value


def _explain(error: ValidationError, path: str, origin: Mapping[str, str]) -> str:
    """The first thing wrong, in one line; unknown keys first, as they are the likeliest cause of the others."""
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    dotted = ".".join(str(part) for part in problem["loc"])
    where = next((text for name, text in origin.items() if _overlap(name, dotted)), path)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if problem["type"] == "extra_forbidden":
        old = next((name for name in origin if name in RENAMED_SETTINGS and _overlap(name, dotted)), dotted)
        if old in RENAMED_SETTINGS:
            return f"{where}: {old} is now called {RENAMED_SETTINGS[old]}{more}"
        all_keys = list(_fields(Recipe))
        near = [name for name in all_keys if name.rpartition(".")[2] == dotted.rpartition(".")[2]]
        near = near or difflib.get_close_matches(dotted, all_keys, n=1, cutoff=0.5)
        hint = (
            f"; did you mean {' or '.join(near)}?"
            if near
            else f"; known there: {', '.join(_siblings(dotted, all_keys))}"
        )
        return f"{where}: unknown key {dotted}{hint}{more}"
    if problem["type"] == "missing":
        return f"{where}: {dotted} is missing{more}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {dotted or 'recipe'}: {message} (it is {problem['input']!r}){more}"


def _overlap(a: str, b: str) -> bool:
    """Whether one dotted key is the other, or a table that holds it."""
    return f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}.")


def _fields(model: type[BaseModel], prefix: str = "") -> Iterable[str]:
    """Every key a recipe may have, dotted."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, f"{prefix}{name}.")


def _siblings(dotted: str, all_keys: list[str]) -> list[str]:
    table = dotted.rpartition(".")[0]
    return [name for name in all_keys if name.rpartition(".")[0] == table]


def to_toml(recipe: Recipe) -> str:
    """The recipe with every default written out; `load_recipe` reads the same recipe back."""
    return "\n".join(_table(recipe.model_dump(mode="json", exclude_none=True), ()))


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterable[str]:
    if path:
        yield f"\n[{'.'.join(path)}]"
    for name, value in values.items():
        if not isinstance(value, Mapping):
            # JSON's strings, numbers and lists are TOML's, save for one control character that JSON leaves bare
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _table(cast(Mapping[str, Any], value), (*path, name))
