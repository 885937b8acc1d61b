"""Lineman keeps lines up: services that hold long connections open, wss first."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lineman import stdio
from lineman.build import VERSION as __version__

if TYPE_CHECKING:
    from lineman.errors import (
        ConfigError,
        ConnectionLost,
        HttpError,
        LinemanError,
        ProtocolError,
        UsageError,
    )
    from lineman.gateway.blocking import GatewayClient
    from lineman.gateway.history import HistoryOptions
    from lineman.gateway.pushing import AsyncGatewayClient
    from lineman.gateway.visitor import Client
    from lineman.gateways import Gateway
    from lineman.net.callbacks import ErrorCode
    from lineman.net.connection import Connection
    from lineman.protocols.http import Request, Response
    from lineman.protocols.websocket.negotiation import DeflateOptions
    from lineman.tls.acme.options import AcmeOptions
    from lineman.worker import Worker

stdio.secure()

__all__ = [
    "AcmeOptions",
    "AsyncGatewayClient",
    "Client",
    "ConfigError",
    "Connection",
    "ConnectionLost",
    "DeflateOptions",
    "ErrorCode",
    "Gateway",
    "GatewayClient",
    "HistoryOptions",
    "HttpError",
    "LinemanError",
    "ProtocolError",
    "Request",
    "Response",
    "UsageError",
    "Worker",
    "__version__",
]

# Loaded when they are asked for: a master, and every command, does without the data path.
_HOMES = {
    "AcmeOptions": "tls.acme.options",
    "AsyncGatewayClient": "gateway.pushing",
    "Client": "gateway.visitor",
    "ConfigError": "errors",
    "Connection": "net.connection",
    "ConnectionLost": "errors",
    "DeflateOptions": "protocols.websocket.negotiation",
    "ErrorCode": "net.callbacks",
    "Gateway": "gateways",
    "GatewayClient": "gateway.blocking",
    "HistoryOptions": "gateway.history",
    "HttpError": "errors",
    "LinemanError": "errors",
    "ProtocolError": "errors",
    "Request": "protocols.http",
    "Response": "protocols.http",
    "UsageError": "errors",
    "Worker": "worker",
}

# What programs for Workerman import, and what to import or write here.
_THEIRS = {
    "GatewayWorker": "write Gateway: one of it stands for gateways, business workers and register",
    "BusinessWorker": "write Gateway(…, workers=4), whose callbacks are the events",
    "Register": "nothing is needed: processes find each other by themselves, machines by broker=…",
    "Events": "write the callbacks of a Gateway: @gateway.on_message",
    "Timer": "write asyncio: a task with `await asyncio.sleep(1)` in a loop, in on_worker_start",
    "Http": "write worker.on_request, Request and Response",
    "WebServer": "let a web server do it; worker.on_request answers plain requests",
    "Websocket": 'the address says it: Worker("ws://…")',
    "TcpConnection": "write Connection",
    "ConnectionInterface": "write Connection",
    "AsyncTcpConnection": "there are no clients in this version",
    "AsyncUdpConnection": "there are no clients in this version",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        if name in _THEIRS:
            raise ImportError(f"lineman has no {name}; {_THEIRS[name]}", name=__name__)
        raise AttributeError(f"module 'lineman' has no attribute {name!r}")
    value = getattr(import_module(f"lineman.{home}"), name)
    globals()[name] = value
    return value
