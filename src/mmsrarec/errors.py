"""The errors that a caller may want to catch: each message is one line that says what is wrong and what to do.

| Error | Raised where |
|---|---|
| `DataError` | a data folder, a DataFrame, a log or a picture is missing, malformed or contradicts itself |
| `RecipeError` | a recipe, a setting of it or an override is wrong, or does not fit the data |
| `NotFittedError` | a run, or the part of it that is needed, is not finished, or another version made it |
| `UnknownIdError` | a user or an item is asked about that the run does not know |
| `EngineError` | a server that is to run the language model is absent, refuses, or stops answering |
| `MissingDependencyError` | an optional package is not installed; the message holds the command that installs it |
| `MmsrarecError` | any of these, and all other wrong use, such as an argument of the wrong type |

The command line prints every one of them as one line and ends with exit code 2.
"""

from pathlib import Path


class MmsrarecError(Exception):
    """Wrong input or wrong use."""


class DataError(MmsrarecError):
    """The data cannot be used as they are."""


class RecipeError(MmsrarecError):
    """A recipe or one of its settings is wrong."""


class NotFittedError(MmsrarecError):
    """There is no finished run, or the part of it that is asked for is not finished."""

    @classmethod
    def no_run(cls, folder: Path) -> "NotFittedError":
        """The error of a folder that is no run, or is not there."""
        return cls(f"{folder} is not a run: make one with mmsrarec run RECIPE --out {folder}")


class UnknownIdError(MmsrarecError):
    """Nobody, or nothing, has this id."""


class EngineError(MmsrarecError):
    """The server that is to run the language model cannot be used, or stopped answering."""


class MissingDependencyError(MmsrarecError):
    """An optional package is not installed."""
