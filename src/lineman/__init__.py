"""Lineman keeps lines up: services that hold long connections open, wss first."""

from lineman.errors import (
    ConfigError,
    ConnectionLost,
    HttpError,
    LinemanError,
    ProtocolError,
    UsageError,
)
from lineman.net.callbacks import ErrorCode
from lineman.net.connection import Connection
from lineman.protocols.http import Request, Response
from lineman.protocols.websocket.negotiation import DeflateOptions
from lineman.tls.acme.options import AcmeOptions
from lineman.worker import Worker

__version__ = "0.1.0"

__all__ = [
    "AcmeOptions",
    "ConfigError",
    "Connection",
    "ConnectionLost",
    "DeflateOptions",
    "ErrorCode",
    "HttpError",
    "LinemanError",
    "ProtocolError",
    "Request",
    "Response",
    "UsageError",
    "Worker",
    "__version__",
]
