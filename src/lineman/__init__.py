"""Lineman keeps lines up: services that hold long connections open, wss first."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lineman.base import stdio
from lineman.base.version import VERSION as __version__

if TYPE_CHECKING:
    from lineman.client.client_options import ClientOptions
    from lineman.client.connecting import Connecting, connect
    from lineman.client.dialer import Dialer
    from lineman.client.reconnecting import ReconnectingLine
    from lineman.config.options import WorkerOptions
    from lineman.errors import (
        AddressInUseError,
        ClientGoneError,
        ConfigError,
        ConnectError,
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
    from lineman.gateway.business.gateway_client import Client
    from lineman.gateway.gateway import Gateway
    from lineman.gateway.gateway_options import GatewayOptions
    from lineman.gateway.holder.client_deadlines import GuardOptions
    from lineman.gateway.holder.group_histories import frame_as_json
    from lineman.gateway.holder.history import HistoryOptions
    from lineman.gateway.push.api import HasId
    from lineman.gateway.push.blocking import GatewayClient
    from lineman.gateway.push.coverage import Answers
    from lineman.gateway.push.pushing import AsyncGatewayClient
    from lineman.gateway.wire.history_page import HistoryPage, KeptMessage
    from lineman.net.connection.callbacks import ErrorCode
    from lineman.net.connection.connection import Connection
    from lineman.net.connection.send_queue import SlowReaders
    from lineman.net.datagrams.datagram_peer import DatagramPeer
    from lineman.net.loop.delay import Delay
    from lineman.net.stream.tlsinfo import TlsInfo
    from lineman.protocols.codecs.own_protocol import Protocol
    from lineman.protocols.codecs.ready_made import LengthPrefixed, Lines
    from lineman.protocols.http.event_stream import ServerSentEvent
    from lineman.protocols.http.forms import UploadedFile
    from lineman.protocols.http.http_messages import Headers, Request
    from lineman.protocols.http.responses import EventStream, Response
    from lineman.protocols.proxies.proxy_header import ClientTls, ProxyHeader
    from lineman.protocols.websocket.negotiation import DeflateOptions
    from lineman.scheduling.job import Job
    from lineman.scheduling.timer import Timer
    from lineman.sharing.shared import Shared
    from lineman.tls.acme.acme_options import AcmeOptions
    from lineman.tls.development.devca import DevelopmentCertificate, development_certificate
    from lineman.tls.files.certificate_info import CertificateInfo
    from lineman.tls.serving.live_certificates import CertificateStatus, LiveTls
    from lineman.worker import Worker

stdio.secure()

__all__ = [
    "AcmeOptions",
    "AddressInUseError",
    "Answers",
    "AsyncGatewayClient",
    "CertificateInfo",
    "CertificateStatus",
    "Client",
    "ClientGoneError",
    "ClientOptions",
    "ClientTls",
    "ConfigError",
    "ConnectError",
    "Connecting",
    "Connection",
    "ConnectionLost",
    "DatagramPeer",
    "DeflateOptions",
    "Delay",
    "DevelopmentCertificate",
    "Dialer",
    "ErrorCode",
    "EventStream",
    "Gateway",
    "GatewayClient",
    "GatewayOptions",
    "GuardOptions",
    "HasId",
    "Headers",
    "HistoryOptions",
    "HistoryPage",
    "HttpError",
    "Job",
    "KeptMessage",
    "LengthPrefixed",
    "LinemanError",
    "Lines",
    "LinkFullError",
    "LiveTls",
    "NotReachedError",
    "Protocol",
    "ProtocolError",
    "ProxyHeader",
    "ReconnectingLine",
    "RefusedError",
    "Request",
    "Response",
    "ServerSentEvent",
    "Shared",
    "SlowReaders",
    "Timer",
    "TlsInfo",
    "UnknownNameError",
    "UploadedFile",
    "UsageError",
    "Worker",
    "WorkerOptions",
    "__version__",
    "connect",
    "development_certificate",
    "frame_as_json",
]

# Modules that are loaded at the first use of the name: a master and most commands do not need them.
_HOMES = {
    "AcmeOptions": "tls.acme.acme_options",
    "AddressInUseError": "errors",
    "Answers": "gateway.push.coverage",
    "AsyncGatewayClient": "gateway.push.pushing",
    "CertificateInfo": "tls.files.certificate_info",
    "CertificateStatus": "tls.serving.live_certificates",
    "Client": "gateway.business.gateway_client",
    "ClientOptions": "client.client_options",
    "ClientGoneError": "errors",
    "ClientTls": "protocols.proxies.proxy_header",
    "ConfigError": "errors",
    "ConnectError": "errors",
    "Connecting": "client.connecting",
    "Connection": "net.connection.connection",
    "ConnectionLost": "errors",
    "Delay": "net.loop.delay",
    "DatagramPeer": "net.datagrams.datagram_peer",
    "DeflateOptions": "protocols.websocket.negotiation",
    "DevelopmentCertificate": "tls.development.devca",
    "Dialer": "client.dialer",
    "ErrorCode": "net.connection.callbacks",
    "EventStream": "protocols.http.responses",
    "Gateway": "gateway.gateway",
    "GatewayClient": "gateway.push.blocking",
    "GatewayOptions": "gateway.gateway_options",
    "GuardOptions": "gateway.holder.client_deadlines",
    "HasId": "gateway.push.api",
    "Headers": "protocols.http.http_messages",
    "HistoryOptions": "gateway.holder.history",
    "HistoryPage": "gateway.wire.history_page",
    "HttpError": "errors",
    "Job": "scheduling.job",
    "KeptMessage": "gateway.wire.history_page",
    "LengthPrefixed": "protocols.codecs.ready_made",
    "LinemanError": "errors",
    "Lines": "protocols.codecs.ready_made",
    "LinkFullError": "errors",
    "LiveTls": "tls.serving.live_certificates",
    "NotReachedError": "errors",
    "Protocol": "protocols.codecs.own_protocol",
    "ProtocolError": "errors",
    "ProxyHeader": "protocols.proxies.proxy_header",
    "ReconnectingLine": "client.reconnecting",
    "RefusedError": "errors",
    "Request": "protocols.http.http_messages",
    "Response": "protocols.http.responses",
    "ServerSentEvent": "protocols.http.event_stream",
    "Shared": "sharing.shared",
    "SlowReaders": "net.connection.send_queue",
    "Timer": "scheduling.timer",
    "TlsInfo": "net.stream.tlsinfo",
    "UnknownNameError": "errors",
    "UploadedFile": "protocols.http.forms",
    "UsageError": "errors",
    "Worker": "worker",
    "WorkerOptions": "config.options",
    "connect": "client.connecting",
    "development_certificate": "tls.development.devca",
    "frame_as_json": "gateway.holder.group_histories",
}

# Names that programs for Workerman import, and what to import or write here.
_THEIRS = {
    "GatewayWorker": "write Gateway: it takes the place of gateways, business workers and register",
    "BusinessWorker": "write Gateway(…, workers=4), whose callbacks are the events",
    "Register": "nothing is needed: processes find each other automatically, machines by broker=…",
    "Events": "write the callbacks of a Gateway: @gateway.on_message",
    "Channel": "write Gateway: its groups reach the clients of all processes",
    "GlobalData": "keep shared values in a database; client.session holds those of one client",
    "Crontab": 'write @worker.cron("*/5 * * * *") above the function',
    "Http": "write worker.on_request, Request and Response",
    "WebServer": "let a web server do it; worker.on_request answers plain requests",
    "Websocket": 'the address contains it: Worker("ws://…")',
    "TcpConnection": "write Connection",
    "ConnectionInterface": "write Connection",
    "UdpConnection": "write DatagramPeer",
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
