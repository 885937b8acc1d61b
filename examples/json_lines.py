r"""Devices send JSON, one object a line: printf '{"temperature": 21}\n' | nc localhost 8282"""

from lineman import Lines, Worker

worker = Worker("tcp://0.0.0.0:8282", protocol=Lines().json())


@worker.on_message
def reply(connection, message):
    connection.send({"got": message})


Worker.run_all()
