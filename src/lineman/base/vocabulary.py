"""Workerman's and GatewayWorker's names, and the names or advice that Lineman has in their place.

This module is only a table, by the kind of object that has the name. A value without a space is
Lineman's name; any other value says why there is no such name, and what to do instead. `lookup`
ignores underscores and case.
"""

from __future__ import annotations

from collections.abc import Mapping

_EVENT_LOOP = "uvloop is used if it is installed, asyncio otherwise"
_LOOP = "write asyncio.get_running_loop()"
_PINGS = "the worker answers pings, and sends them; see ping_interval"
_STOP_ALL = (
    "Worker.stop_all() stops the whole service; Workerman's stopAll ends one process, which is "
    "`await worker.stop()`"
)
_CONVERT = "check the type of the message: str is text, bytes is binary"
_ON_WORKER = "callbacks are set on the worker; values of one client belong into connection.data"
_OF_WORKER = "it is an option of the worker"
_NO_CLIENTS = "connections to servers are made by Dialer(url), or by connect(url)"
_NO_PORT = "gateway and business processes find each other by sockets in the run directory"
_FIXED = "it is fixed: 64 messages or 256 KiB of each client, 64 MiB in all"
_ROUTER = (
    "a client belongs to the worker with the fewest clients, or to the one that "
    "Gateway(…, router=…) chooses"
)
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
    "stopping": "on_worker_stop is called when the process stops",
    "eventLoop": _EVENT_LOOP,
    "onWorkerStart": "on_worker_start",
    "onWorkerStop": "on_worker_stop",
    "onWorkerReload": "on_worker_reload",
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
    "onMasterReload": "on_master_reload",
    "onMasterStop": "on_master_stop",
    "onWorkerExit": "on_worker_exit",
    "daemonize": "write `python app.py start -d`",
    "stdoutFile": "log_file",
    "pidFile": "pid_file",
    "statusFile": "`python app.py status` asks the processes themselves",
    "logFile": "log_file",
    "logFileMaxSize": "log_max_size",
    "globalEvent": _LOOP,
    "eventLoopClass": _EVENT_LOOP,
    "stopTimeout": "stop_timeout",
    "command": "write sys.argv",
    "outputStream": _FOREGROUND,
    "runAll": "run_all",
    "getAllWorkers": "all_workers",
    "getEventLoop": _LOOP,
    "getMainSocket": "the kernel spreads clients over the processes; port and url are the address",
    "stopAll": _STOP_ALL,
    "getStatus": "`python app.py status --json` shows it",
    "getGracefulStop": "every stop and reload closes clients gracefully",
    "log": 'write logging.getLogger("app").info(…)',
    "safeEcho": "write print(…)",
    "pauseAccept": "pause_accept",
    "resumeAccept": "resume_accept",
    "getSocketName": "url",
    "run": "write Worker.run_all(), or `await worker.start()` in an `async def`",
    "stop": "stop",
    "isRunning": "`python app.py status` shows it",
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

# The names that a program sets in Workerman; the others are functions or internal values.
WORKER_SETTINGS = frozenset({
    *("reusePort", "eventLoop", "eventLoopClass", "daemonize"),
    *("stdoutFile", "pidFile", "statusFile", "logFile", "logFileMaxSize"),
    *("stopTimeout", "outputStream", "maxPackageSize", "defaultMaxPackageSize"),
    *("maxSendBufferSize", "defaultMaxSendBufferSize", "lingerTimeout"),
    *("defaultLingerTimeout", "websocketPingInterval"),
})  # fmt: skip

CONNECTION: Mapping[str, str] = {
    "id": "id",
    "worker": "worker",
    "protocol": "protocol",
    "transport": "connection.tls is None without TLS",
    "bytesRead": "bytes_read",
    "bytesWritten": "bytes_written",
    "maxSendBufferSize": "max_send_buffer_size",
    "defaultMaxSendBufferSize": f"{_OF_WORKER}: max_send_buffer_size",
    "maxPackageSize": "max_message_size",
    "defaultMaxPackageSize": f"{_OF_WORKER}: max_message_size",
    "lingerTimeout": f"{_OF_WORKER}: close_timeout",
    "defaultLingerTimeout": f"{_OF_WORKER}: close_timeout",
    "context": "data",
    "headers": "the client's are request.headers; add_header adds one to the answer",
    "websocketType": _CONVERT,
    "connections": "it is the worker's: worker.connections",
    "onConnect": _ON_WORKER,
    "onMessage": "on_message",
    "onClose": "on_close",
    "onError": "on_error",
    "onBufferFull": "on_buffer_full",
    "onBufferDrain": "on_buffer_drain",
    "onWebSocketConnect": _ON_WORKER,
    "onWebSocketConnected": _ON_WORKER,
    "onWebSocketClose": _ON_WORKER,
    "onWebSocketPing": _PINGS,
    "onWebSocketPong": _PINGS,
    "errorHandler": "an exception of a callback is logged, and the worker's on_error gets it",
    "send": "send",
    "close": "close",
    "end": "end",
    "destroy": "destroy",
    "pauseRecv": "pause_recv",
    "resumeRecv": "resume_recv",
    "pipe": "pipe",
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
    "getRecvBufferQueueSize": "bytes that are not a message yet are not counted",
    "bufferIsEmpty": "write connection.unsent == 0",
    "consumeRecvBuffer": "callbacks get whole messages",
    "getSocket": "a program does not get the socket: TLS, compression and order depend on it",
    "doSslHandshake": "it is done before on_connect; start_tls() begins it in mid-connection",
    "statistics": "`python app.py status` shows them",
    "jsonSerialize": "`python app.py connections --json` shows every connection",
    "connect": _NO_CLIENTS,
    "reconnect": _NO_CLIENTS,
    "cancelReconnect": _NO_CLIENTS,
    "getRemoteHost": _NO_CLIENTS,
    "getRemoteURI": _NO_CLIENTS,
    "websocketPingInterval": f"{_OF_WORKER}: ping_interval",
    # Values that the examples of Workerman's manual keep on a connection.
    "realIP": "remote_ip has it, behind a proxy with trusted_proxies",
    "lastMessageTime": "connection.idle has the seconds since then; pings find dead clients",
    "session": "keep it in connection.data; a Gateway's clients have a session",
    "uid": 'keep your own values in connection.data: connection.data["uid"]',
}

# What a connection may have of its own, and others may not.
_CALLBACKS = dict.fromkeys(
    ("onMessage", "onClose", "onError", "onBufferFull", "onBufferDrain"), _ON_WORKER
)
_NO_STATE = "each datagram has a peer of its own; keep values in worker.data, by the peer's address"
_UNCONNECTED = "UDP has no connections: a datagram is sent at once, or lost"

# The sender of a datagram: the names of a connection, and these.
PEER: Mapping[str, str] = {
    **CONNECTION,
    **_CALLBACKS,
    "maxPackageSize": f"{_OF_WORKER}: max_message_size",
    "id": _NO_STATE,
    "context": _NO_STATE,
    "data": _NO_STATE,
    "session": _NO_STATE,
    "uid": _NO_STATE,
    "transport": "it is always udp",
    "protocol": "it is always udp",
    "bytesRead": "`python app.py status` shows what all have sent",
    "bytesWritten": "`python app.py status` shows what all were sent",
    "maxSendBufferSize": _UNCONNECTED,
    "defaultMaxSendBufferSize": _UNCONNECTED,
    "lingerTimeout": _UNCONNECTED,
    "defaultLingerTimeout": _UNCONNECTED,
    "headers": "a datagram has no headers that a program sees",
    "websocketType": "every datagram is bytes",
    "destroy": _UNCONNECTED,
    "pauseRecv": _UNCONNECTED,
    "pipe": _UNCONNECTED,
    "resumeRecv": _UNCONNECTED,
    "getStatus": _UNCONNECTED,
    "isIpV4": "write ipaddress.ip_address(peer.remote_ip).version == 4",
    "isIpV6": "write ipaddress.ip_address(peer.remote_ip).version == 6",
    "getSendBufferQueueSize": _UNCONNECTED,
    "getRecvBufferQueueSize": _UNCONNECTED,
    "bufferIsEmpty": _UNCONNECTED,
    "consumeRecvBuffer": "callbacks get whole datagrams",
    "doSslHandshake": "there is no TLS over UDP",
    "jsonSerialize": "`python app.py status --json` shows the figures",
    "errorHandler": "an exception of a callback is logged and counted",
    "realIP": "remote_ip; it may be forged",
    "lastMessageTime": _NO_STATE,
    "websocketPingInterval": _UNCONNECTED,
}

# A client, as the callbacks of a `Gateway` get it: the names of a connection, and these.
CLIENT: Mapping[str, str] = {
    **CONNECTION,
    **_CALLBACKS,
    "maxSendBufferSize": f"{_OF_WORKER}: max_send_buffer_size",
    "maxPackageSize": f"{_OF_WORKER}: max_message_size",
    "uid": "uid",
    "end": "close",
    "session": "session",
    "data": "session",
    "context": "session",
    "worker": "a client does not belong to one worker: a reload gives it to another",
    "bytesRead": "`python app.py connections` shows it",
    "bytesWritten": "`python app.py connections` shows it",
    "getSendBufferQueueSize": "`python app.py connections` shows it as UNSENT",
    "bufferIsEmpty": "`python app.py connections` shows it as UNSENT",
    "getStatus": "write `await gateway.is_online(client)`",
    "getRemoteAddress": "remote_ip",
    "getLocalAddress": "the client's socket belongs to another process",
    "getLocalIp": "the client's socket belongs to another process",
    "getLocalPort": "the client's socket belongs to another process",
    "transport": "client.request.scheme is https with TLS",
    "pauseRecv": "the client's socket belongs to another process; an async callback slows it down",
    "pipe": "the client's socket belongs to another process; a plain Worker's connection has it",
    "resumeRecv": "the client's socket belongs to another process; an async callback slows it down",
    "drain": "write `await gateway.drain()`",
    "connections": "write `await gateway.get_all_client_id_list()`",
    "bindUid": "bind",
    "joinGroup": "join",
    "leaveGroup": "leave",
    "onMessage": "callbacks are set on the gateway",
    "onClose": "callbacks are set on the gateway",
    "errorHandler": "an exception of a callback is logged, and the client is closed with 1011",
    "lastMessageTime": "pings find dead clients; or keep it in client.session",
    "statistics": "`python app.py status` shows them",
}

GATEWAY: Mapping[str, str] = {
    "count": "processes are gateways=… and workers=…",
    "businessWorkers": "give their number to Gateway(…, workers=…)",
    "registerAddress": "processes find each other automatically, machines by broker=…",
    "lanIp": _NO_PORT,
    "lanPort": _NO_PORT,
    "startPort": _NO_PORT,
    "innerTcpWorkerListen": _NO_PORT,
    "pingNotResponseLimit": "give it to Gateway(…, ping_not_response_limit=…)",
    "pingInterval": "give it to Gateway(…, ping_interval=…)",
    "pingData": "give it to Gateway(…, ping_data=…)",
    "secretKey": "give it to Gateway(…, secret=…)",
    "protocol": "write text://, frame:// or tcp:// in its address; gateway processes run no "
    "protocol of the program's own",
    "routerBind": _ROUTER,
    "selectLoadBalancingMode": _ROUTER,
    "sendToWorkerBufferSize": _FIXED,
    "sendToGatewayBufferSize": _FIXED,
    "sendToClientBufferSize": "give it to Gateway(…, max_send_buffer_size=…)",
    "protocolAccelerate": "a broadcast is always encoded once",
    "onBusinessWorkerConnected": "the log and `status` show the processes",
    "onBusinessWorkerClose": "the log and `status` show the processes",
    "eventHandler": "write callbacks of the gateway: @gateway.on_message",
    "onWebSocketConnected": "on_connect",
    "onWebSocketClose": "on_close",
    "onError": "an exception of a callback is logged, and the client is closed with 1011",
    "onBufferFull": "slow_readers says what happens to a slow client",
    "onBufferDrain": "slow_readers says what happens to a slow client",
    "destoryClient": "destroy_client",
    "destoryCurrentClient": "destroy_current_client",
    "getAllClientIdCount": "get_all_client_count",
    "getClientCountByGroup": "get_client_id_count_by_group",
    "getAllClientInfo": "get_all_client_sessions",
    "getClientInfoByGroup": "get_client_sessions_by_group",
    "connectTimeout": "there is one permanent connection, and 10 seconds to open it",
    "persistentConnection": "there is one permanent connection",
    "addressesCacheDisable": "there is one permanent connection",
    "runAll": "write Worker.run_all()",
    "connections": "write `await gateway.get_all_client_id_list()`",
}
# What a Worker has, and a Gateway has not.
NOT_OF_A_GATEWAY: Mapping[str, str] = {
    "start_tls": "give devices an address with TLS from the first byte: text+tls://, tcp+tls://",
    "broadcast": "send_to_all",
    "publish": "publish_to_group keeps messages for clients; an event for all business workers is "
    "published by the worker of on_worker_start: worker.publish(…)",
    "on_event": "set it on the worker of on_worker_start: @worker.on_event(…)",
}
# The names that a program sets in GatewayWorker; the others are functions.
GATEWAY_SETTINGS = frozenset({
    *("count", "businessWorkers", "registerAddress", "lanIp", "lanPort", "startPort"),
    *("innerTcpWorkerListen", "pingNotResponseLimit", "pingInterval"),
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
    "post": 'write request.form.get("name"), or request.json()',
    "file": 'write request.files.get("name")',
    "header": 'write request.headers.get("name")',
    "cookie": 'write request.cookies.get("name")',
    "rawHead": "write request.headers.items()",
    "rawBuffer": "write request.headers.items(), request.body",
    "session": "keep your own values in connection.data; a Gateway's clients have a session",
    "sessionId": "keep your own values in connection.data; a Gateway's clients have a session",
    "connection": "on_disconnect calls a function when the client goes",
}

# The public names of a connection, which the reference shows; other names are internal.
MEMBERS = (
    *("add_header", "after", "bytes_read", "bytes_written", "choose_subprotocol", "close"),
    *("end", "protocol", "write"),
    *("on_message", "on_close", "on_error", "on_buffer_full", "on_buffer_drain"),
    *("max_send_buffer_size", "max_message_size", "idle_timeout"),
    *(
        "close_code",
        "close_reason",
        "data",
        "destroy",
        "drain",
        "id",
        "idle",
        "is_open",
        "listen_address",
        "local_address",
    ),
    *("messages_dropped", "messages_read", "messages_written", "opened_at", "pause_recv"),
    "pipe",
    *("peer_address", "proxy_header", "reject", "remote_ip", "remote_port", "request"),
    *(
        "resume_recv",
        "send",
        "start_tls",
        "state",
        "subprotocol",
        "tls",
        "tls_cipher",
        "tls_version",
        "unsent",
    ),
    "worker",
)
# The public names of the sender of a datagram.
PEER_MEMBERS = (
    *("close", "local_address", "peer_address", "remote_ip", "remote_port", "send", "worker"),
)
# The public names of a request.
REQUEST_MEMBERS = (
    *("body", "cookies", "files", "files_all", "form", "form_all", "headers", "host"),
    *("is_disconnected", "json", "method", "on_disconnect", "path", "query", "query_all"),
    *("query_string", "remote_ip", "remote_port", "scheme", "target", "version"),
)
# The public names of a client of a `Gateway`.
CLIENT_MEMBERS = (
    *("add_header", "bind", "choose_subprotocol", "close", "destroy", "groups", "id", "join"),
    *(
        "leave",
        "listen_address",
        "protocol",
        "reject",
        "remote_ip",
        "remote_port",
        "request",
        "send",
        "session",
        "uid",
    ),
)

# The read-only names of a `Worker`, and how to get another value.
WORKER_CALLS = {
    "port": 'the address contains it: Worker("ws://0.0.0.0:8282")',
    "url": 'the address contains it: Worker("ws://0.0.0.0:8282")',
    "urls": 'the addresses contain it: Worker(["ws://0.0.0.0:8282"])',
    "connections": "clients connect; connection.close() closes one",
    "service": "`await worker.start()` makes it",
    "live_tls": "give cert and key, or tls",
    "certificates_served": "give cert and key, or certificates",
}
# The read-only names of a `Gateway`.
GATEWAY_CALLS = {
    "current_client": "it is the client whose callback is running",
    "port": "give it in the address, Gateway(address)",
    "url": "give the address, Gateway(address)",
    "urls": "give the addresses, Gateway([address, …])",
}
# The names of a client that a call changes, and an assignment does not.
CLIENT_CALLS = {
    "uid": "write client.bind(uid), or gateway.unbind_uid(client)",
    "groups": "write client.join(group), or client.leave(group)",
}


def plain(name: str) -> str:
    """A name without underscores and case, as names are compared."""
    return name.replace("_", "").lower()


def lookup(table: Mapping[str, str], name: str) -> str | None:
    """Lineman's name, or why there is none; None for a name that Workerman does not have."""
    wanted = plain(name)
    return next((answer for theirs, answer in table.items() if plain(theirs) == wanted), None)


DIALER: Mapping[str, str] = {
    "onConnect": "on_connect",
    "onMessage": "on_message",
    "onClose": "on_close",
    "onError": "on_error",
    "onBufferFull": "on_buffer_full",
    "onBufferDrain": "on_buffer_drain",
    "onWebSocketConnect": "on_connect",
    "reconnect": "it is an option: Dialer(url, reconnect=True)",
    "cancelReconnect": "close",
    "headers": "it is an option: Dialer(url, headers={…})",
    "transport": "write wss:// or text+tls:// in the address",
}
