"""A burst to many clients of whom most read nothing, under each of the policies."""

from __future__ import annotations

import pytest

from kit.leaks import held
from kit.site import Serve, Site
from lineman import Worker

LIMIT = 100_000
SIZE = 16_000
SLOW = 20
QUICK = 3
HANDED_OVER = 64 * 1024  # what the transport may have besides: it had it when the socket was full


def waiting(worker: Worker) -> int:
    """The waiting bytes of the slowest client."""
    return max((each.unsent for each in worker.connections.values()), default=0)


def unread(site: Site) -> bool:
    """Whether the policy was applied to all clients that read nothing."""
    service = site.worker.service
    assert service is not None
    behind = [each for each in site.worker.connections.values() if each.messages_dropped]
    closing = [each for each in site.worker.connections.values() if each.close_code]
    gone = SLOW + QUICK - len(site.worker.connections)
    return len(behind) + len(closing) + gone == SLOW


@pytest.mark.parametrize("policy", ["close", "drop_oldest", "latest"])
def test_a_burst_takes_bounded_memory_and_who_reads_gets_all_of_it(
    serve: Serve, tls: bool, policy: str
) -> None:
    site = serve(tls, slow_readers=policy, max_send_buffer_size=LIMIT)
    for _ in range(SLOW):
        site.open(receive_buffer=4096)
    quick = [site.open() for _ in range(QUICK)]
    before = site.call(held)
    sent = most = 0

    def burst() -> None:
        """Ten messages to all clients; no two have the same key."""
        nonlocal sent, most
        for _ in range(10):
            sent += 1
            message = f"{sent:06}".ljust(SIZE, ".")
            site.call(site.worker.broadcast, message, key=sent)
            for client in quick:
                assert client.receive() == message
        most = max(most, site.call(waiting, site.worker))

    while not site.call(unread, site):
        burst()
        assert sent * SIZE < 100_000_000, "nobody is found to read nothing"
    for _ in range(20):  # and many times as much as may wait
        burst()
    assert most <= LIMIT + HANDED_OVER + SIZE
    grown = site.call(held).above(before)
    assert grown.size < SLOW * (LIMIT + HANDED_OVER + SIZE) * 1.2
