"""Django Channels with channels_redis, on uvicorn: `python channels_server.py PORT REDIS LAYER`.

LAYER is `core.RedisChannelLayer` or `pubsub.RedisPubSubChannelLayer`.
"""

import sys

import django
import uvicorn
from common import HOST, port
from django.conf import settings

# redis-py 8 closes a connection that is silent for five seconds; the layer waits longer.
host = {"address": sys.argv[2], "socket_timeout": None}
layer = {"BACKEND": f"channels_redis.{sys.argv[3]}", "CONFIG": {"hosts": [host]}}
settings.configure(CHANNEL_LAYERS={"default": layer})
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 (needs the settings)


class Listener(AsyncWebsocketConsumer):
    """One client."""

    async def connect(self) -> None:
        """One client; all clients are in one room."""
        await self.channel_layer.group_add("listeners", self.channel_name)
        await self.accept()

    async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
        """Sends the message to all clients in the room."""
        await self.channel_layer.group_send("listeners", {"type": "said", "text": text_data})

    async def said(self, event: dict[str, str]) -> None:
        """Passes a message on to the client."""
        await self.send(text_data=event["text"])


uvicorn.run(
    Listener.as_asgi(), host=HOST, port=port(), loop="uvloop", ws="websockets",
    log_level="warning", access_log=False, ws_per_message_deflate=False,
)  # fmt: skip
