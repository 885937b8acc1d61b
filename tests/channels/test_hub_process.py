"""The process of a hub: started by a layer, killed, unused; and its place, taken by a stranger."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit.channel_hubs import new_name, pid_of_hub
from kit.program import Program
from kit.waiting import DEADLINE, until, wait_until
from lineman.channels import Layer, hub_process
from lineman.channels.hub_place import HubPlace, connect
from lineman.errors import ConfigError

MODULE = "lineman.channels.hub_process"


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_the_first_layer_starts_the_hub_which_a_killed_one_is_replaced_by(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        name = new_name()
        one, two = Layer(name), Layer(name)
        channel = await one.new_channel()
        await one.group_add("g", channel)
        receiving = asyncio.create_task(one.receive(channel))
        jobs = asyncio.create_task(two.receive("jobs"))
        await until(lambda: one._own.is_awaited and two._line._asked)
        pid = pid_of_hub(one)
        assert pid == pid_of_hub(two) != os.getpid()
        assert os.getsid(pid) == pid  # it is not ended with a terminal or a process group
        os.kill(pid, signal.SIGKILL)
        # Memberships and questions are there again, without the program's doing.
        await until(lambda: pid_of_hub(one) == pid_of_hub(two) not in (0, pid))
        assert not is_alive(pid)
        while not receiving.done():
            await two.group_send("g", {"n": 1})
            await asyncio.sleep(0.02)
        assert await receiving == {"n": 1}
        await one.send("jobs", {"n": 2})
        assert await asyncio.wait_for(jobs, DEADLINE) == {"n": 2}
        assert "hub is gone" in caplog.text
        await one.close()
        await two.close()

    asyncio.run(main())


def test_many_processes_that_begin_at_once_have_one_hub() -> None:
    program = """
import asyncio, sys
from lineman.channels import Layer
async def main():
    layer = Layer(sys.argv[1])
    await layer.send("here", {"n": 1})
    await layer.receive("go")
asyncio.run(main())
"""

    async def main() -> None:
        name = new_name()
        processes = [subprocess.Popen([sys.executable, "-c", program, name]) for _ in range(4)]
        layer = Layer(name)
        for _ in processes:
            assert await asyncio.wait_for(layer.receive("here"), DEADLINE) == {"n": 1}
        for _ in processes:
            await layer.send("go", {"n": 1})
        await until(lambda: all(each.poll() == 0 for each in processes))
        await layer.close()

    asyncio.run(main())


def test_a_killed_process_leaves_its_groups(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from lineman.channels import Layer
async def main():
    layer = Layer(sys.argv[1])
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    await layer.send("here", {"channel": channel})
    await layer.receive(channel)
asyncio.run(main())
"""

    async def main() -> None:
        name = new_name()
        layer = Layer(name)
        process = subprocess.Popen([sys.executable, "-c", program, name])
        channel = (await asyncio.wait_for(layer.receive("here"), DEADLINE))["channel"]
        process.kill()
        process.wait()
        for _ in range(300):  # more than its capacity: nothing is kept for a process that is gone
            await layer.send(channel, {"n": 1})
            await layer.group_send("g", {"n": 1})
        await layer.close()

    asyncio.run(main())


def test_a_hub_that_nobody_needs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_process, "UNUSED", 0.0)
    place = HubPlace(new_name())
    listening = hub_process._take(place)
    with contextlib.suppress(ConfigError):
        reading, writing = os.pipe()
        asyncio.run(asyncio.wait_for(hub_process._serve(None, listening, writing), DEADLINE))
    assert os.read(reading, 10) == b"ok"
    os.close(reading)
    assert connect(place) is None


def test_a_supervisor_may_run_the_hub_and_its_end_is_asked_for_by_sigterm(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    program = Program("hub", [sys.executable, "-m", MODULE, "--path", str(path)])
    try:
        wait_until(path.exists, "the hub's socket")
        assert path.stat().st_mode & 0o777 == 0o600

        async def main() -> None:
            layer = Layer("x", path=str(path))
            await layer.send("a", {"n": 1})
            assert pid_of_hub(layer) == program.process.pid
            await layer.close()

        asyncio.run(main())
        again = subprocess.run(
            [sys.executable, "-m", MODULE, "--path", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 1
        assert "runs already" in again.stderr
        program.process.terminate()
        assert program.process.wait(DEADLINE) == 0
    finally:
        program.stop()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "/nowhere/at/all.sock"}, "no such file or directory"),
        ({"path": "{open}/hub.sock"}, "other users may replace"),
        ({"path": "{file}"}, "is no socket"),
        ({"broker": "redis://localhost:1/?nonsense=%"}, "redis-py cannot read"),
    ],
)
def test_a_hub_that_cannot_start_is_told_with_the_remedy(
    tmp_path: Path, options: dict[str, str], said: str
) -> None:
    is_open = tmp_path / "open"
    is_open.mkdir()
    is_open.chmod(0o777)
    file = tmp_path / "file"
    file.write_text("mine")
    given = {
        key: value.replace("{open}", str(is_open)).replace("{file}", str(file))
        for key, value in options.items()
    }

    async def main() -> None:
        layer = Layer(new_name(), **given)
        with pytest.raises(ConfigError, match=said):
            await layer.send("a", {"n": 1})
        await layer.close()

    asyncio.run(main())
    assert file.read_text() == "mine"
