"""The worker behind nginx, Apache, Caddy or HAProxy, which ends TLS and says who the client is.

`lineman proxy nginx behind_proxy.py --domain domain.com --cert … --key …` prints its configuration.
"""

from lineman import Connection, Worker

# 127.0.0.1 and not 0.0.0.0: only the web server on this machine may connect.
worker = Worker(
    "ws://127.0.0.1:8282",
    trusted_proxies=["127.0.0.1/32"],  # the header is believed only from here
    real_ip_header="x-real-ip",
)


@worker.on_message
def reply(connection: Connection, message: str | bytes) -> None:
    connection.send(f"ok, {connection.remote_ip}")


Worker.run_all()
