"""The smallest chat of Channels' tutorial: a view of Django, and a consumer with a group."""

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
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402


def home(request):
    return HttpResponse("home", content_type="text/plain")


def item(request, number):
    return JsonResponse({"number": number, "method": request.method})


urlpatterns = [path("", home), path("items/<int:number>", item)]


class Chat(AsyncWebsocketConsumer):
    async def connect(self):
        if "room" not in self.scope["url_route"]["kwargs"]:
            await self.close()
            return
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept("chat")
        await self.send(str(os.getpid()))

    async def disconnect(self, code):
        await self.channel_layer.group_discard("room", self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        if bytes_data is not None:
            await self.close(4001, "enough")
        else:
            await self.channel_layer.group_send("room", {"type": "said", "text": text_data})

    async def said(self, event):
        await self.send(text_data=event["text"])


app = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter(
            [path("ws/<str:room>", Chat.as_asgi()), path("deny", Chat.as_asgi())]
        ),
    }
)
