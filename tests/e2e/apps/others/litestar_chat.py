"""A chat of Litestar: a listener whose lifespan subscribes to a channel of the plugin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from counting_page import page
from litestar import Litestar, MediaType, WebSocket, get
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from litestar.handlers import websocket_listener


@get("/", media_type=MediaType.HTML)
async def home() -> str:
    return page("/chat")


@asynccontextmanager
async def subscribed(socket: WebSocket, channels: ChannelsPlugin) -> AsyncIterator[None]:
    async with (
        channels.start_subscription(["chat"]) as subscriber,
        subscriber.run_in_background(socket.send_text),
    ):
        yield


@websocket_listener("/chat", connection_lifespan=subscribed)
async def chat(data: str, channels: ChannelsPlugin) -> None:
    channels.publish(data, ["chat"])


plugin = ChannelsPlugin(channels=["chat"], backend=MemoryChannelsBackend())
app = Litestar([home, chat], plugins=[plugin], openapi_config=None)
