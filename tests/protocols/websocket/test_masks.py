from __future__ import annotations

from lineman.protocols.websocket.masks import Masks


def test_masks_are_fresh_four_bytes_each_time() -> None:
    masks = Masks()
    taken = [masks.take() for _ in range(3 * Masks.PORTION // 4)]
    assert {len(mask) for mask in taken} == {4}
    assert len(set(taken)) > len(taken) * 0.99
