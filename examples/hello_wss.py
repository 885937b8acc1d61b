from lineman import Worker

worker = Worker("wss://0.0.0.0:8282", cert="server.pem", key="server.key", count=4)


@worker.on_message
def reply(connection, message):  # str for text, bytes for binary
    connection.send("ok")


Worker.run_all()  # python app.py start
