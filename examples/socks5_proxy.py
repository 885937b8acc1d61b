"""A SOCKS5 proxy (RFC 1928), by which clients reach servers through this program.

It is for this machine alone: a proxy that anybody reaches is soon used by everybody.
"""

from ipaddress import ip_address

from lineman import LinemanError, ProtocolError, Worker, connect

NO_PASSWORD, CONNECT, NAME = 0, 1, 3
SIZES = {1: 4, 4: 16}  # bytes of an IPv4 and an IPv6 address
DONE, NOT_REACHED, NO_COMMAND, NO_KIND = (bytes((5, n, 0, 1, *6 * [0])) for n in (0, 4, 7, 8))


class Socks5:
    """First the ways to log in, then what is asked for, as bytes."""

    is_greeted = False

    def input(self, buffer):
        if buffer[0] != 5:
            raise ProtocolError(1002, "this is no SOCKS5")
        if not self.is_greeted:
            return 2 + buffer[1] if len(buffer) > 1 else 0
        if len(buffer) < 5:
            return 0
        kind, first = buffer[3:5]
        return 6 + (1 + first if kind == NAME else SIZES.get(kind, 0))

    def decode(self, package):
        was_greeted, self.is_greeted = self.is_greeted, True
        return was_greeted, package

    def encode(self, answer):
        return answer


worker = Worker("tcp://127.0.0.1:8282", protocol=Socks5)


@worker.on_message
def obey(client, message):
    is_request, package = message
    if is_request:
        client.pause_recv()  # what follows is the server's
        worker.spawn(answer(client, package[1], package[3], package[4:-2], package[-2:]))
    elif NO_PASSWORD in package[2:]:
        client.send(bytes((5, NO_PASSWORD)))
    else:
        refuse(client, b"\5\xff")


async def answer(client, command, kind, address, port):
    if command != CONNECT:
        refuse(client, NO_COMMAND)
    elif kind != NAME and kind not in SIZES:
        refuse(client, NO_KIND)
    else:
        host = address[1:].decode("ascii", "replace") if kind == NAME else ip_address(address)
        host = f"[{host}]" if kind == 4 else host
        try:
            server = await connect(f"tcp://{host}:{int.from_bytes(port)}")
        except LinemanError as error:  # not reached, or no address
            print(error, flush=True)
            refuse(client, NOT_REACHED)
            return
        client.send(DONE)
        client.protocol = "tcp"
        client.pipe(server)
        server.pipe(client)
        client.resume_recv()


def refuse(client, reply):
    client.send(reply)
    client.close()


Worker.run_all()
