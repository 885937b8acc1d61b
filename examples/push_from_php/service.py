"""The service: browsers connect here, and PHP pushes to port 8283.

PUSH_TOKEN=$(openssl rand -hex 16); export PUSH_TOKEN
python service.py start -d
php push.php anna 'your order has left'
"""

import os

from lineman import Gateway, Worker

gateway = Gateway(
    f"ws://127.0.0.1:{os.environ.get('PORT', '8282')}",
    push=f"ws://127.0.0.1:{os.environ.get('PUSH_PORT', '8283')}",
    push_token=os.environ["PUSH_TOKEN"],
)


@gateway.on_connect
def connected(client):
    # A real service would look the user up by a cookie or a token of the handshake.
    client.bind(client.request.query.get("user") or "nobody")
    client.send("connected")


if __name__ == "__main__":
    Worker.run_all()
