r"""Binary messages behind their length of two bytes: printf '\0\2hi' | nc localhost 8282 | xxd"""

from lineman import LengthPrefixed, Worker

worker = Worker("tcp://0.0.0.0:8282", protocol=LengthPrefixed(">H"))


@worker.on_message
def reply(connection, message):
    connection.send(message)


Worker.run_all()
