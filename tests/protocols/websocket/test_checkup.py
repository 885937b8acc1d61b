from __future__ import annotations

import pytest

from lineman.protocols.proxies.forwarded import UNKNOWN
from lineman.protocols.websocket.checkup import BELIEVED, CLAIMED, NOT_TOLD, OTHER, answer, read
from lineman.protocols.websocket.origins import Standing


@pytest.mark.parametrize(
    ("ip", "said"), [(CLAIMED, BELIEVED), (UNKNOWN, NOT_TOLD), ("192.0.2.1", OTHER), ("", OTHER)]
)
@pytest.mark.parametrize("standing", list(Standing))
def test_the_doctor_reads_what_the_service_says_and_no_address(
    standing: Standing, ip: str, said: str
) -> None:
    name, value = answer(standing, ip)
    assert name == "X-Lineman-Doctor"
    assert read(value) == {"page": standing.value, "address": said}
    assert "192.0.2.1" not in value


@pytest.mark.parametrize("value", ["", "yes", ";;", "page"])
def test_what_is_no_answer_says_nothing(value: str) -> None:
    assert read(value) == {}
