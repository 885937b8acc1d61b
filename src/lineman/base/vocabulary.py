"""Workerman's and GatewayWorker's names, and what Lineman has in their place.

A table and nothing else, by the kind of object that has the name. A value without a space is our
name for it; any other is the reason why there is none, and what to do instead. Who looks a name
up leaves out underscores and case: `lookup`.
"""

from __future__ import annotations

from collections.abc import Mapping

_EVENT_LOOP = "uvloop is used where it is installed, asyncio otherwise"
_LOOP = "write asyncio.get_running_loop()"
_PINGS = "pings are answered, and sent, by themselves; see ping_interval"
_MASTER = "the master runs none of the program's code; the log tells what it does"
_BY_COMMAND = "`python app.py stop` ends the service; max_requests and max_memory replace a process"
_CONVERT = "look at the type of the message: str is text, bytes is binary"
_ON_WORKER = "callbacks are set on the worker; what differs for a client goes into connection.data"
_OF_WORKER = "it is an option of the worker"
_NO_CLIENTS = "there are no clients (as AsyncTcpConnection) in this version"
_NO_PORT = "gateway and business processes find each other by sockets in the run directory"
_FIXED = "it is fixed: 64 messages or 256 KiB of each client, 64 MiB in all"
_ROUTER = "a client belongs to the worker process that has the fewest clients"
_FOREGROUND = "write to sys.stdout or to logging; log_file says where it goes"

WORKER: Mapping[str, str] = {
    "id": "id",
    "name": "name",
    "count": "count",
    "user": "user",
    "group": "group",
    "reloadable": "reloadable",
    "transport": "transport",
    "connections": "connections",
    "context": "context",
    "reusePort": "it is always on",
    "protocol": 'the address says it: Worker("ws://…")',
    "stopping": "on_worker_stop is called when the process stops",
    "eventLoop": _EVENT_LOOP,
    "onWorkerStart": "on_worker_start",
    "onWorkerStop": "on_worker_stop",
    "onWorkerReload": "a reload replaces the process: on_worker_stop is called in the old one, "
    "on_worker_start in the new one",
    "onConnect": "on_connect",
    "onWebSocketConnect": "on_websocket_connect",
    "onWebSocketConnected": "on_connect",
    "onWebSocketClose": "on_close",
    "onWebSocketPing": _PINGS,
    "onWebSocketPong": _PINGS,
    "onMessage": "on_message",
    "onClose": "on_close",
    "onError": "on_error",
    "onBufferFull": "on_buffer_full",
    "onBufferDrain": "on_buffer_drain",
    "onMasterReload": _MASTER,
    "onMasterStop": _MASTER,
    "onWorkerExit": "the log and `status` tell how a process ended",
    "daemonize": "write `python app.py start -d`",
    "stdoutFile": "log_file",
    "pidFile": "pid_file",
    "statusFile": "`python app.py status` asks the processes themselves",
    "logFile": "log_file",
    "logFileMaxSize": "have logrotate do it: the log goes on in a new file when its own is moved",
    "globalEvent": _LOOP,
    "eventLoopClass": _EVENT_LOOP,
    "stopTimeout": "stop_timeout",
    "command": "write sys.argv",
    "outputStream": _FOREGROUND,
    "runAll": "run_all",
    "getAllWorkers": "all_workers",
    "getEventLoop": _LOOP,
    "getMainSocket": "the kernel spreads clients over the processes; port and url tell where",
    "stopAll": _BY_COMMAND,
    "getStatus": "`python app.py status --json` tells it",
    "getGracefulStop": "every stop and reload lets clients go in order",
    "log": 'write logging.getLogger("app").info(…)',
    "safeEcho": "write print(…)",
    "listen": "write `await worker.start()` in an `async def`",
    "unlisten": "write `await worker.stop()` in an `async def`",
    "pauseAccept": "there is no such thing in this version",
    "resumeAccept": "there is no such thing in this version",
    "getSocketName": "url",
    "run": "write Worker.run_all(), or `await worker.start()` in an `async def`",
    "stop": "stop",
    "isRunning": "`python app.py status` tells it",
    "setUserAndGroup": "give user and group",
    "getArgv": "write sys.argv",
    "resetStd": _FOREGROUND,
    "maxPackageSize": "max_message_size",
    "defaultMaxPackageSize": "max_message_size",
    "defaultMaxSendBufferSize": "max_send_buffer_size",
    "maxSendBufferSize": "max_send_buffer_size",
    "lingerTimeout": "close_timeout",
    "defaultLingerTimeout": "close_timeout",
    "websocketPingInterval": "ping_interval",
}

# What a program sets there; the rest are functions, and what Workerman itself keeps.
WORKER_SETTINGS = frozenset({
    *("reusePort", "protocol", "eventLoop", "eventLoopClass", "daemonize"),
    *("stdoutFile", "pidFile", "statusFile", "logFile", "logFileMaxSize"),
    *("stopTimeout", "outputStream", "maxPackageSize", "defaultMaxPackageSize"),
    *("maxSendBufferSize", "defaultMaxSendBufferSize", "lingerTimeout"),
    *("defaultLingerTimeout", "websocketPingInterval"),
})  # fmt: skip

CONNECTION: Mapping[str, str] = {
    "id": "id",
    "worker": "worker",
    "protocol": "the worker's address says it, and it stays",
    "transport": "connection.tls is None without TLS",
    "bytesRead": "bytes_read",
    "bytesWritten": "bytes_written",
    "maxSendBufferSize": f"{_OF_WORKER}: max_send_buffer_size",
    "defaultMaxSendBufferSize": f"{_OF_WORKER}: max_send_buffer_size",
    "maxPackageSize": f"{_OF_WORKER}: max_message_size",
    "defaultMaxPackageSize": f"{_OF_WORKER}: max_message_size",
    "lingerTimeout": f"{_OF_WORKER}: close_timeout",
    "defaultLingerTimeout": f"{_OF_WORKER}: close_timeout",
    "context": "data",
    "headers": "the client's are request.headers; add_header adds one to the answer",
    "websocketType": _CONVERT,
    "connections": "it is the worker's: worker.connections",
    "onConnect": _ON_WORKER,
    "onMessage": _ON_WORKER,
    "onClose": _ON_WORKER,
    "onError": _ON_WORKER,
    "onBufferFull": _ON_WORKER,
    "onBufferDrain": _ON_WORKER,
    "onWebSocketConnect": _ON_WORKER,
    "onWebSocketConnected": _ON_WORKER,
    "onWebSocketClose": _ON_WORKER,
    "onWebSocketPing": _PINGS,
    "onWebSocketPong": _PINGS,
    "errorHandler": "what a callback raises is logged, and told to the worker's on_error",
    "send": "send",
    "close": "close",
    "end": "close",
    "destroy": "destroy",
    "pauseRecv": "pause_recv",
    "resumeRecv": "resume_recv",
    "pipe": "there is no such thing in this version",
    "getStatus": "state",
    "getRemoteIp": "remote_ip",
    "getRemotePort": "remote_port",
    "getRemoteAddress": "peer_address",
    "getLocalIp": "local_address",
    "getLocalPort": "local_address",
    "getLocalAddress": "local_address",
    "isIpV4": "write ipaddress.ip_address(connection.remote_ip).version == 4",
    "isIpV6": "write ipaddress.ip_address(connection.remote_ip).version == 6",
    "getSendBufferQueueSize": "unsent",
    "getRecvBufferQueueSize": "bytes that are not a message yet are nobody's to count",
    "bufferIsEmpty": "write connection.unsent == 0",
    "consumeRecvBuffer": "messages come whole",
    "getSocket": "the socket is not the program's: TLS, compression and order depend on it",
    "doSslHandshake": "it is done before on_connect",
    "statistics": "`python app.py status` tells them",
    "jsonSerialize": "`python app.py connections --json` shows every connection",
    "connect": _NO_CLIENTS,
    "reconnect": _NO_CLIENTS,
    "cancelReconnect": _NO_CLIENTS,
    "getRemoteHost": _NO_CLIENTS,
    "getRemoteURI": _NO_CLIENTS,
    "websocketPingInterval": f"{_OF_WORKER}: ping_interval",
    # What its manual's examples keep on a connection.
    "realIP": "remote_ip is it, behind a proxy with trusted_proxies",
    "lastMessageTime": "connection.idle tells the seconds since; dead clients are found by pings",
    "session": "keep it in connection.data; a Gateway's clients have a session",
    "uid": 'keep your own things in connection.data: connection.data["uid"]',
}

# A client as the callbacks of a `Gateway` get it: it has the names of a connection, and these.
CLIENT: Mapping[str, str] = {
    **CONNECTION,
    "uid": "uid",
    "session": "session",
    "data": "session",
    "context": "session",
    "worker": "a client is not one worker's: a reload gives it to another",
    "bytesRead": "`python app.py connections` shows it",
    "bytesWritten": "`python app.py connections` shows it",
    "getSendBufferQueueSize": "`python app.py connections` shows it as UNSENT",
    "bufferIsEmpty": "`python app.py connections` shows it as UNSENT",
    "getStatus": "write `await gateway.is_online(client)`",
    "getRemoteAddress": "remote_ip",
    "getLocalAddress": "the client's socket is another process's",
    "getLocalIp": "the client's socket is another process's",
    "getLocalPort": "the client's socket is another process's",
    "transport": "client.request.scheme is https with TLS",
    "pauseRecv": "the client's socket is another process's; an async callback slows it down",
    "resumeRecv": "the client's socket is another process's; an async callback slows it down",
    "drain": "write `await gateway.drain()`",
    "connections": "write `await gateway.get_all_client_id_list()`",
    "bindUid": "bind",
    "joinGroup": "join",
    "leaveGroup": "leave",
    "onMessage": "callbacks are set on the gateway",
    "onClose": "callbacks are set on the gateway",
    "errorHandler": "what a callback raises is logged, and the client is closed with 1011",
    "lastMessageTime": "dead clients are found by pings; or keep it in client.session",
    "statistics": "`python app.py status` tells them",
}

GATEWAY: Mapping[str, str] = {
    "count": "processes are gateways=… and workers=…",
    "businessWorkers": "give their number to Gateway(…, workers=…)",
    "registerAddress": "processes find each other by themselves, machines by broker=…",
    "lanIp": _NO_PORT,
    "lanPort": _NO_PORT,
    "startPort": _NO_PORT,
    "innerTcpWorkerListen": _NO_PORT,
    "pingNotResponseLimit": "give it to Gateway(…, ping_not_response_limit=…)",
    "pingInterval": "give it to Gateway(…, ping_interval=…)",
    "pingData": "give it to Gateway(…, ping_data=…)",
    "secretKey": "give it to Gateway(…, secret=…)",
    "router": _ROUTER,
    "routerBind": _ROUTER,
    "selectLoadBalancingMode": _ROUTER,
    "sendToWorkerBufferSize": _FIXED,
    "sendToGatewayBufferSize": _FIXED,
    "sendToClientBufferSize": "give it to Gateway(…, max_send_buffer_size=…)",
    "protocolAccelerate": "a broadcast is always encoded once",
    "onBusinessWorkerConnected": "the log and `status` tell which processes there are",
    "onBusinessWorkerClose": "the log and `status` tell which processes there are",
    "eventHandler": "the callbacks of the gateway are it: @gateway.on_message",
    "onWebSocketConnected": "on_connect",
    "onWebSocketClose": "on_close",
    "onError": "what a callback raises is logged, and the client is closed with 1011",
    "onBufferFull": "slow_readers says what happens to a slow client",
    "onBufferDrain": "slow_readers says what happens to a slow client",
    "destoryClient": "destroy_client",
    "destoryCurrentClient": "destroy_current_client",
    "getAllClientIdCount": "get_all_client_count",
    "getClientCountByGroup": "get_client_id_count_by_group",
    "getAllClientInfo": "get_all_client_sessions",
    "getClientInfoByGroup": "get_client_sessions_by_group",
    "connectTimeout": "there is one connection that stays, and 10 seconds to reach it",
    "persistentConnection": "there is one connection that stays",
    "addressesCacheDisable": "there is one connection that stays",
    "runAll": "write Worker.run_all()",
    "connections": "write `await gateway.get_all_client_id_list()`",
}
# What a program sets there; the rest are functions.
GATEWAY_SETTINGS = frozenset({
    *("count", "businessWorkers", "registerAddress", "lanIp", "lanPort", "startPort"),
    *("innerTcpWorkerListen", "router", "pingNotResponseLimit", "pingInterval"),
    *("pingData", "secretKey", "sendToWorkerBufferSize", "sendToGatewayBufferSize"),
    *("sendToClientBufferSize", "protocolAccelerate", "eventHandler", "connectTimeout"),
    *("persistentConnection", "addressesCacheDisable"),
})  # fmt: skip

REQUEST: Mapping[str, str] = {
    "method": "method",
    "path": "path",
    "host": "host",
    "uri": "target",
    "queryString": "query_string",
    "protocolVersion": "version",
    "rawBody": "body",
    "getRemoteIp": "remote_ip",
    "getRemotePort": "remote_port",
    "get": 'write request.query.get("name")',
    "post": "request.body is what was posted, as bytes",
    "file": "request.body is what was posted, as bytes",
    "header": 'write request.headers.get("name")',
    "cookie": 'write request.cookies.get("name")',
    "rawHead": "write request.headers.items()",
    "rawBuffer": "write request.headers.items(), request.body",
    "session": "keep your own things in connection.data; a Gateway's clients have a session",
    "sessionId": "keep your own things in connection.data; a Gateway's clients have a session",
    "connection": "a callback of a connection gets it before the request",
}

# What the reference shows of a connection; there is more, which is the house's own.
MEMBERS = (
    *("add_header", "bytes_read", "bytes_written", "choose_subprotocol", "close", "close_code"),
    *("close_reason", "data", "destroy", "drain", "id", "idle", "is_open", "local_address"),
    *("messages_dropped", "messages_read", "messages_written", "opened_at", "pause_recv"),
    *("peer_address", "proxy_header", "reject", "remote_ip", "remote_port", "request"),
    *("resume_recv", "send", "state", "subprotocol", "tls", "tls_cipher", "tls_version", "unsent"),
    "worker",
)
# The same of a request.
REQUEST_MEMBERS = (
    *("body", "cookies", "headers", "host", "method", "path", "query", "query_all"),
    *("query_string", "remote_ip", "remote_port", "scheme", "target", "version"),
)
# The same of a client of a `Gateway`.
CLIENT_MEMBERS = (
    *("add_header", "bind", "choose_subprotocol", "close", "destroy", "groups", "id", "join"),
    *("leave", "reject", "remote_ip", "remote_port", "request", "send", "session", "uid"),
)

# What a `Worker` has that is only read, and how to come to another one.
WORKER_CALLS = {
    "port": 'it stands in the address: Worker("ws://0.0.0.0:8282")',
    "url": 'the address says it: Worker("ws://0.0.0.0:8282")',
    "connections": "clients connect by themselves; connection.close() lets one go",
    "service": "`await worker.start()` makes it",
    "live_tls": "give cert and key, or tls",
    "certificates_served": "give cert and key, or certificates",
}
# The same of a `Gateway`.
GATEWAY_CALLS = {"current_client": "the one whose callback is at work"}
# Of these, what a call changes, and setting would not.
CLIENT_CALLS = {
    "uid": "write client.bind(uid), or gateway.unbind_uid(client)",
    "groups": "write client.join(group), or client.leave(group)",
}


def plain(name: str) -> str:
    """A name without underscores and case, as names are compared."""
    return name.replace("_", "").lower()


def lookup(table: Mapping[str, str], name: str) -> str | None:
    """Our name, or the reason why there is none; None where it is no name of Workerman's."""
    wanted = plain(name)
    return next((answer for theirs, answer in table.items() if plain(theirs) == wanted), None)
