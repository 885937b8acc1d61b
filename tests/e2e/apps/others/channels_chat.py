"""A chat room of Channels: a Django view with the page, and a consumer with a group."""

import json
import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY=os.environ["CASE_KEY"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    CHANNEL_LAYERS={"default": {"BACKEND": "lineman.channels.Layer"}},
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from counting_page import page  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path, re_path  # noqa: E402


def room(request):
    return HttpResponse(page("/ws/chat/lobby/"))


urlpatterns = [path("", room)]


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        self.group = "chat_" + self.scope["url_route"]["kwargs"]["name"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data):
        event = {"type": "chat.message", "message": text_data}
        await self.channel_layer.group_send(self.group, event)

    async def chat_message(self, event):
        await self.send(text_data=json.dumps({"message": event["message"]}))


routes = [re_path(r"ws/chat/(?P<name>\w+)/$", ChatConsumer.as_asgi())]
app = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": AllowedHostsOriginValidator(URLRouter(routes)),
    }
)
