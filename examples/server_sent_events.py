"""Tell browsers the time each second; in a page:

new EventSource("http://127.0.0.1:8282/").onmessage = event => console.log(event.data)
"""

import asyncio
import time

from lineman import ServerSentEvent, Worker

worker = Worker("http://0.0.0.0:8282")


@worker.on_request
async def clock(request):
    while True:
        yield ServerSentEvent(time.strftime("%H:%M:%S"))
        await asyncio.sleep(1)


Worker.run_all()
