"""A client of an MMSRARec server: `Client` has a method for each of its calls, `CallError` says what went wrong."""

from mmsrarec_client.api import Client
from mmsrarec_client.call_errors import (
    BusyError,
    CallError,
    ForbiddenError,
    InvalidError,
    NoAnswerError,
    NotFoundError,
    ServerError,
    TooLargeError,
    UnauthorisedError,
    UnavailableError,
)
from mmsrarec_client.server_version import __version__ as __version__

__all__ = [
    "BusyError",
    "CallError",
    "Client",
    "ForbiddenError",
    "InvalidError",
    "NoAnswerError",
    "NotFoundError",
    "ServerError",
    "TooLargeError",
    "UnauthorisedError",
    "UnavailableError",
]
