"""Collects what sensors send by UDP into a file: a datagram has lines like `kitchen 21.5`."""

import csv
import time
from pathlib import Path

from lineman import DatagramPeer, Worker

worker = Worker("udp://0.0.0.0:9000", messages_per_second_per_ip=50)
readings = Path("readings.csv")


@worker.on_message
def collect(peer: DatagramPeer, data: bytes) -> None:
    try:
        found = [(name, float(value)) for name, value in map(str.split, data.decode().splitlines())]
    except ValueError:
        peer.send("?")  # it is no reading; anybody can send anything here
        return
    now = round(time.time(), 3)
    with readings.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((now, peer.remote_ip, name, value) for name, value in found)
    peer.send("ok")  # without an answer the sensor sends it again


Worker.run_all()
