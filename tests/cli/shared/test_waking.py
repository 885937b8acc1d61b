from __future__ import annotations

import os
import select
import signal

from kit.descriptors import descriptors, wait_until_none_is_left
from lineman.cli.shared.waking import woken_by_signals


def test_a_signal_makes_the_descriptor_readable_also_before_anybody_waits() -> None:
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    opened = descriptors()
    try:
        with woken_by_signals() as heard:
            assert select.select([heard], [], [], 0)[0] == []
            signal.raise_signal(signal.SIGUSR1)
            assert select.select([heard], [], [], 0)[0] == [heard]
            assert os.read(heard, 16) == bytes([signal.SIGUSR1])
    finally:
        signal.signal(signal.SIGUSR1, before)
    wait_until_none_is_left(opened)
    assert signal.set_wakeup_fd(-1) == -1, "whoever was woken before is woken again"
