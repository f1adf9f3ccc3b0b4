"""The version of the server.

Made from the server's OpenAPI description by scripts/client_from_openapi.py; changes here are lost.
"""

__version__ = "0.1.0"
