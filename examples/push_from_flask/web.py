"""A web application that pushes to users of the service, wherever they are connected.

    pip install flask
    python service.py start -d
    flask --app web run

With several machines it is the address of their broker: GATEWAY=redis://127.0.0.1:6379
"""

import os

from flask import Flask, jsonify, request

from lineman import GatewayClient

app = Flask(__name__)
gateway = GatewayClient(
    os.environ.get("GATEWAY", "unix:///tmp/push.sock")
)  # connects when it is first used


@app.post("/users/<user>/messages")
def push(user):
    gateway.send_to_uid(user, request.get_data(as_text=True))
    return "", 202


@app.get("/users/<user>")
def is_online(user):
    return jsonify(online=gateway.is_uid_online(user))
