"""One machine of a service whose messages are counted.

The environment says where it listens, its broker and its clock, and which file names its build.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

if source := Path(os.environ["BUILD"]).read_text():
    sys.path.insert(0, source)

if shift := float(os.environ.get("CLOCK_SHIFT", "0")):
    right_time = time.time
    time.time = lambda: right_time() + shift

from lineman import Gateway, HistoryOptions, NotReachedError, Worker
from lineman.gateway.wire import versions

if newest := int(os.environ.get("NEWEST", "0")):
    versions.own = versions.WireVersions(versions.own.oldest, newest)

host = os.environ.get("LISTEN", "127.0.0.1")
broker = os.environ.get("BROKER")
gateway = Gateway(
    f"ws://{host}:{sys.argv[1]}",
    gateways=1 if broker else 2,
    workers=2,
    broker=broker,
    secret="a secret of the tests" if broker else None,
    history=HistoryOptions(messages=20_000, seconds=600.0, max_bytes=64 * 1024 * 1024),
    wait_timeout=10.0,
    drain_seconds=1.0,
    stop_timeout=5.0,
    reloadable=False,
)


@gateway.on_uid_online
def came(uid):
    print(f"online: {uid}", flush=True)


@gateway.on_uid_offline
def went(uid):
    print(f"offline: {uid}", flush=True)


@gateway.on_history_gap
def missed(group, old, new):
    gateway.send_to_group(group, f"gap {group}")


async def page_of(group, epoch, offset):
    try:
        page = await gateway.get_history(group, epoch, offset)
    except NotReachedError:
        return {"page": group, "epoch": None}
    return {
        "page": group,
        "epoch": page.epoch,
        "offset": page.offset,
        "missed": [kept.data for kept in page.missed],
        "is_complete": page.is_complete,
    }


async def give_later(uid, number):
    await asyncio.sleep(3.0)
    gateway.send_to_uid(uid, f"m {number} ")
    print(f"given: {number} {time.monotonic()}", flush=True)


@gateway.on_message
async def said(client, message):
    word, *rest = message.split(" ")
    if word == "in":
        client.bind(rest[0])
        for group in rest[1:]:
            client.join(group)
        client.send("in")
    elif word == "to":
        gateway.send_to_uid(rest[0], f"m {rest[1]} {rest[2]}")
        client.send(f"ok {rest[1]}")
    elif word == "later":
        gateway.spawn(give_later(rest[0], rest[1]), finish=True)
    elif word == "publish":
        gateway.publish_to_group(rest[0], rest[1])
        client.send(f"ok {rest[1]}")
    elif word == "page":
        client.send(json.dumps(await page_of(rest[0], rest[1], int(rest[2]))))


Worker.run_all(sys.argv[2:])
