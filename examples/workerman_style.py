from lineman import Worker

context = {"ssl": {"local_cert": "server.pem", "local_pk": "server.key", "verify_peer": False}}
worker = Worker("websocket://0.0.0.0:8282", context)
worker.transport = "ssl"
worker.on_message = lambda connection, message: connection.send("ok")
Worker.run_all()
