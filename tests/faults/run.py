"""The long form of the counting runs, of `make soak`.

    python tests/faults/run.py                                    all brokers, all faults
    python tests/faults/run.py --broker redis --fault "broker restarted" --clients 60

For each broker a service of two nodes with counting clients; one fault after the other, while the
clients send. It prints what was sent, what arrived and what was told, and ends with status 1 if
something does not balance. `--page FILE` writes the figures as a page of the manual.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import platform
import shlex
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import namespaces
from faults.counted_service import Balance, CountedService
from faults.kinds_of_faults import ALL, FAULTS

TITLE = """# What a gateway loses, counted

Each row is one fault of a service of two machines while their clients send to each other: what was
accepted is compared with what arrived and with what the gateway counted.
[What is promised](reference/gateway.md#what-is-promised-whatever-fails) is in the manual. Measured
on {date}, {machine}:

```
{command}
```

- *sent*: messages that a business worker had taken; *arrived*: of these; *away*: their receiver was
  not connected, as it knew itself.
- *missed*: `gateway_missed_messages`, among them publications on their way; *may be lost*:
  `gateway_unconfirmed_messages`, `gateway_unconfirmed_orders` and `gateway_dropped_events`, upper
  bounds if a process dies.
- *published*: messages with a history, once for each member; *had* in the end, with what the
  histories gave; *told*: those that are missing to members that were told so.
- *users*: calls of `on_uid_online` and `on_uid_offline` since the start.

| broker | fault | sent | arrived | away | missed | may be lost | published | had | told | users | balanced |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501


NETWORKS = {
    "namespaces": "each machine of the service in a network namespace",
    "relay": "a relay in place of the network",
}


def row(kind: str, found: Balance) -> str:
    figures = (
        found.sent, found.delivered, found.away, found.missed, found.bound, found.published,
        found.got, found.gaps, found.users, "no" if found.problems else "yes",
    )  # fmt: skip
    return "| " + " | ".join(map(str, (kind, found.fault, *figures))) + " |"


async def run_all(kind: str, options: argparse.Namespace) -> list[Balance]:
    found = []
    with tempfile.TemporaryDirectory(prefix="lm-") as directory:
        service = CountedService(
            kind,
            Path(directory),
            options.clients,
            options.rate,
            has_namespaces=options.network == "namespaces",
        )
        try:
            await service.start()
            for fault in FAULTS.values():
                if kind not in fault.needs or (options.fault and fault.name not in options.fault):
                    continue
                if "cut off" in fault.name and service.nodes[-1].wire is None:
                    print(f"| {kind} | {fault.name} | not run: it needs namespaces", flush=True)
                    continue
                service.talk()
                await asyncio.sleep(1.0)
                await fault.act(service)
                balance = await service.balance(fault.name, fault.is_exact, fault.spares_workers)
                found.append(balance)
                print(row(kind, balance), *balance.problems[:5], sep="\n    ", flush=True)
        finally:
            if options.output:
                for node in service.nodes:
                    print(f"--- node {node.number}\n{node.output}")
            await service.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--broker", action="append", choices=ALL)
    parser.add_argument("--fault", action="append", choices=list(FAULTS))
    parser.add_argument("--clients", type=int, default=120)
    parser.add_argument("--network", choices=("auto", "namespaces", "relay"), default="auto")
    parser.add_argument("--rate", type=float, default=2.0, help="messages of each, a second")
    parser.add_argument("--page", type=Path)
    parser.add_argument("--output", action="store_true", help="prints what the nodes print")
    options = parser.parse_args()
    if options.network == "auto":
        options.network = "namespaces" if namespaces.can_be_made() else "relay"
    print(f"machines are parted by: {options.network}", flush=True)
    rows, is_good = [], True
    for kind in options.broker or ALL:
        balances = asyncio.run(run_all(kind, options))
        rows += [row(kind, balance) for balance in balances]
        is_good &= not any(balance.problems for balance in balances)
    if options.page:
        date = datetime.datetime.now(datetime.UTC).strftime("%d %B %Y")
        command = shlex.join(["python", *sys.argv])
        machine = f"one machine, Python {platform.python_version()}, {NETWORKS[options.network]}"
        text = TITLE.format(date=date, machine=machine, command=command)
        options.page.write_text(text + "\n".join(rows) + "\n", encoding="utf-8")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
