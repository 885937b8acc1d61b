"""Mail's STARTTLS: openssl s_client -starttls smtp -quiet -host localhost -port 8282"""

from lineman import Worker

worker = Worker("text://0.0.0.0:8282", cert="server.pem", key="server.key", start_tls=True)


@worker.on_connect
def greet(connection):
    connection.send("220 hello")


@worker.on_message
def obey(connection, line):
    command = line.strip().upper()
    if connection.tls is not None:
        connection.send(f"250 nobody else has read: {line}")
    elif command == "STARTTLS":
        connection.send("220 begin")  # in the clear; what follows is not
        connection.start_tls()
    elif command.startswith("EHLO"):
        connection.send("250-hello")
        connection.send("250 STARTTLS")
    else:
        connection.send("530 STARTTLS first")


Worker.run_all()
