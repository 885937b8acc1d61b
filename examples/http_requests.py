"""Answer plain HTTP requests: a page, a form, JSON, a cookie.

Try it:  curl -d name=tom http://127.0.0.1:8282/hello
"""

import json

from lineman import HttpError, Response, Worker

worker = Worker("http://0.0.0.0:8282")
PAGE = (
    '<form method="post" action="/hello">Your name: <input name="name"><button>Go</button></form>'
)


def page(request):
    return Response(PAGE, content_type="text/html; charset=utf-8")


def hello(request):
    response = Response(f"hello, {request.form['name']}\n")
    response.set_cookie("visits", str(int(request.cookies.get("visits", 0)) + 1))
    return response


async def double(request):
    doubled = {"doubled": request.json()["number"] * 2}
    return Response(json.dumps(doubled), content_type="application/json")


ROUTES = {("GET", "/"): page, ("POST", "/hello"): hello, ("POST", "/double"): double}


@worker.on_request
def answer(request):
    route = ROUTES.get((request.method, request.path))
    if route is None:
        raise HttpError(404, "there is no such page")
    return route(request)


Worker.run_all()
