"""A proxy for HTTP's CONNECT, by which clients reach servers through this program.

It is for this machine alone: a proxy that anybody reaches is soon used by everybody.
"""

from lineman import LinemanError, Lines, Worker, connect

worker = Worker("tcp://127.0.0.1:8282", protocol=Lines(b"\r\n\r\n"), max_message_size=16_384)


@worker.on_message
def begin(client, head):
    client.pause_recv()  # what follows is the server's
    worker.spawn(answer(client, *head.split(b" ")))


async def answer(client, method, place=b"", *_):
    if method != b"CONNECT":
        client.write(b"HTTP/1.1 405 Only CONNECT\r\nAllow: CONNECT\r\nContent-Length: 0\r\n\r\n")
        client.close()
        return
    try:
        server = await connect("tcp://" + place.decode("ascii", "replace"))
    except LinemanError as error:  # not reached, or no address
        print(error, flush=True)
        client.write(b"HTTP/1.1 502 Not reached\r\nContent-Length: 0\r\n\r\n")
        client.close()
        return
    client.write(b"HTTP/1.1 200 Connected\r\n\r\n")
    client.protocol = "tcp"
    client.pipe(server)
    server.pipe(client)
    client.resume_recv()


Worker.run_all()
