"""Public names of a package that are imported at their first use."""

import importlib
from collections.abc import Mapping
from typing import Any


def public_attribute(package: str, module_of: Mapping[str, str], name: str) -> Any:
    """What the `__getattr__` of a package returns.

    Args:
        package: Name of the package.
        module_of: For each public name, the module inside the package that has it, dotted.
        name: The name that was asked for.

    Raises:
        AttributeError: The package has no such public name.
    """
    if name not in module_of:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
