"""The service of the mini-program: it sends each message to all clients, and answers `ping`.

Behind a web server with a certificate for the domain that is entered in WeChat's console;
`lineman doctor wss://domain.com/wss --profile wechat` checks that.
"""

from lineman import Connection, Worker

worker = Worker(
    "ws://127.0.0.1:8282",
    trusted_proxies=["127.0.0.1/32"],
    real_ip_header="x-real-ip",
    ping_interval=25,  # a phone in the background may vanish silently: the pings find it
    ping_timeout=20,
)


@worker.on_message
def answer(connection: Connection, message: str | bytes) -> None:
    # A mini-program can neither send a websocket ping nor see one, so it asks in a message.
    if message == "ping":
        connection.send("pong")
    else:
        worker.broadcast(message)


Worker.run_all()
