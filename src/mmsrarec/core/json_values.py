"""Turns the answers of the library into values that JSON can hold."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel


def plain(value: Any) -> Any:
    """Turn a value into JSON values.

    Args:
        value: Dataclasses, pydantic models and mappings become objects, iterables become arrays, NaN and infinity
            become null, and NumPy values become numbers and arrays. Anything else becomes a string.

    Returns:
        None, bool, int, float, str, or a list or dict of these.
    """
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Iterable):
        return [plain(part) for part in cast(Iterable[Any], value)]
    return str(value)
