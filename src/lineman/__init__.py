"""Lineman keeps lines up: services that hold long connections open, wss first."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lineman import stdio
from lineman.build import VERSION as __version__

if TYPE_CHECKING:
    from lineman.errors import (
        AddressInUseError,
        ConfigError,
        ConnectionLost,
        HttpError,
        LinemanError,
        LinkFullError,
        NotReachedError,
        ProtocolError,
        RefusedError,
        UnknownNameError,
        UsageError,
    )
    from lineman.gateway.api import HasId
    from lineman.gateway.blocking import GatewayClient
    from lineman.gateway.guard import GuardOptions
    from lineman.gateway.histories import frame_as_json
    from lineman.gateway.history import HistoryOptions
    from lineman.gateway.history_page import HistoryPage, KeptMessage
    from lineman.gateway.pushing import AsyncGatewayClient
    from lineman.gateway.visitor import Client
    from lineman.gateways import Gateway
    from lineman.net.callbacks import ErrorCode
    from lineman.net.connection import Connection
    from lineman.net.outbox import SlowReaders
    from lineman.net.tlsinfo import TlsInfo
    from lineman.options import WorkerOptions
    from lineman.protocols.http_messages import Headers, Request, Response
    from lineman.protocols.proxy_header import ClientTls, ProxyHeader
    from lineman.protocols.websocket.negotiation import DeflateOptions
    from lineman.tls.acme.options import AcmeOptions
    from lineman.tls.devca import DevelopmentCertificate, development_certificate
    from lineman.tls.info import CertificateInfo
    from lineman.tls.live import CertificateStatus, LiveTls
    from lineman.worker import Worker

stdio.secure()

__all__ = [
    "AcmeOptions",
    "AddressInUseError",
    "AsyncGatewayClient",
    "CertificateInfo",
    "CertificateStatus",
    "Client",
    "ClientTls",
    "ConfigError",
    "Connection",
    "ConnectionLost",
    "DeflateOptions",
    "DevelopmentCertificate",
    "ErrorCode",
    "Gateway",
    "GatewayClient",
    "GuardOptions",
    "HasId",
    "Headers",
    "HistoryOptions",
    "HistoryPage",
    "HttpError",
    "KeptMessage",
    "LinemanError",
    "LinkFullError",
    "LiveTls",
    "NotReachedError",
    "ProtocolError",
    "ProxyHeader",
    "RefusedError",
    "Request",
    "Response",
    "SlowReaders",
    "TlsInfo",
    "UnknownNameError",
    "UsageError",
    "Worker",
    "WorkerOptions",
    "__version__",
    "development_certificate",
    "frame_as_json",
]

# Loaded when they are asked for: a master, and every command, does without the data path.
_HOMES = {
    "AcmeOptions": "tls.acme.options",
    "AddressInUseError": "errors",
    "AsyncGatewayClient": "gateway.pushing",
    "CertificateInfo": "tls.info",
    "CertificateStatus": "tls.live",
    "Client": "gateway.visitor",
    "ClientTls": "protocols.proxy_header",
    "ConfigError": "errors",
    "Connection": "net.connection",
    "ConnectionLost": "errors",
    "DeflateOptions": "protocols.websocket.negotiation",
    "DevelopmentCertificate": "tls.devca",
    "ErrorCode": "net.callbacks",
    "Gateway": "gateways",
    "GatewayClient": "gateway.blocking",
    "GuardOptions": "gateway.guard",
    "HasId": "gateway.api",
    "Headers": "protocols.http_messages",
    "HistoryOptions": "gateway.history",
    "HistoryPage": "gateway.history_page",
    "HttpError": "errors",
    "KeptMessage": "gateway.history_page",
    "LinemanError": "errors",
    "LinkFullError": "errors",
    "LiveTls": "tls.live",
    "NotReachedError": "errors",
    "ProtocolError": "errors",
    "ProxyHeader": "protocols.proxy_header",
    "RefusedError": "errors",
    "Request": "protocols.http_messages",
    "Response": "protocols.http_messages",
    "SlowReaders": "net.outbox",
    "TlsInfo": "net.tlsinfo",
    "UnknownNameError": "errors",
    "UsageError": "errors",
    "Worker": "worker",
    "WorkerOptions": "options",
    "development_certificate": "tls.devca",
    "frame_as_json": "gateway.histories",
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


if not TYPE_CHECKING:  # checkers would take every name for one that exists

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            if name in _THEIRS:
                raise ImportError(f"lineman has no {name}; {_THEIRS[name]}", name=__name__)
            raise AttributeError(f"module 'lineman' has no attribute {name!r}")
        value = getattr(import_module(f"lineman.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
