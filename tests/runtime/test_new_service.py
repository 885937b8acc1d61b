"""The service of a worker has what its options say."""

from __future__ import annotations

import asyncio

from lineman import Worker


def test_it_has_the_subprotocols_and_limits_of_the_options() -> None:
    async def check() -> None:
        worker = Worker("ws://127.0.0.1:0", subprotocols=["a", "b"], max_message_size=1234)
        await worker.start()
        service = worker.service
        assert service is not None
        assert service.subprotocols == ("a", "b")
        assert service.limits.max_message_size == 1234
        await worker.stop()

    asyncio.run(check())
