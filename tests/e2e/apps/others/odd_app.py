"""An application of ASGI that does a different thing at each path."""

import json


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    kind = "http" if scope["type"] == "http" else "websocket"
    await CASES[kind, scope["path"]](scope, receive, send)


def start(status=200, *headers):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data=b"", more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


async def hello(scope, receive, send):
    await send(start(200, (b"content-type", b"text/plain")))
    await send(body(b"hello"))


async def client(scope, receive, send):
    await send(start())
    await send(body(json.dumps(scope["client"][0]).encode()))


async def paths(scope, receive, send):
    told = [scope["path"], scope["raw_path"].decode(), scope["root_path"]]
    await send(start())
    await send(body(json.dumps(told).encode()))


async def size(scope, receive, send):
    count = 0
    while True:
        message = await receive()
        count += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send(start())
    await send(body(str(count).encode()))


async def raises(scope, receive, send):
    raise ValueError("broken")


async def breaks_off(scope, receive, send):
    await send(start())
    await send(body(b"part", more=True))
    raise ValueError("broken")


async def too_short(scope, receive, send):
    await send(start(200, (b"content-length", b"9")))
    await send(body(b"part"))


async def nothing(scope, receive, send):
    return


async def own_server(scope, receive, send):
    await send(start(200, (b"server", b"mine"), (b"date", b"today")))
    await send(body())


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def refuses(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


async def denies(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"who are you?"})


async def accepts_and_returns(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def accepts_and_raises(scope, receive, send):
    await accepts_and_returns(scope, receive, send)
    raise ValueError("broken")


async def closes(scope, receive, send):
    await accepts_and_returns(scope, receive, send)
    await send({"type": "websocket.close", "code": 4001, "reason": "enough"})


CASES = {
    ("http", "/"): hello,
    ("http", "/client"): client,
    ("http", "/a b"): paths,
    ("http", "/size"): size,
    ("http", "/raises"): raises,
    ("http", "/breaks-off"): breaks_off,
    ("http", "/too-short"): too_short,
    ("http", "/nothing"): nothing,
    ("http", "/own-server"): own_server,
    ("websocket", "/"): echo,
    ("websocket", "/refuses"): refuses,
    ("websocket", "/denies"): denies,
    ("websocket", "/raises"): raises,
    ("websocket", "/nothing"): nothing,
    ("websocket", "/accepts-and-returns"): accepts_and_returns,
    ("websocket", "/accepts-and-raises"): accepts_and_raises,
    ("websocket", "/closes"): closes,
}
