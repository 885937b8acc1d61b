"""The files of the container example: linted, compared with the program, and run as processes.

There is neither Docker nor Kubernetes here, so what the files say of them is compared only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from websockets.exceptions import ConnectionClosedError

from kit.brokers import redis_server, running
from kit.peer_client import PeerClient
from kit.program import Program, free_ports
from kit.waiting import DEADLINE, wait_until

FOLDER = Path(__file__).parents[2] / "examples" / "container"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))
PROGRAM = (FOLDER / "app.py").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
STOP_TIMEOUT = 5  # seconds, as the program has it
SPARE = 10  # seconds


def command_of(word: str) -> list[str]:
    """The command of CMD, or of HEALTHCHECK."""
    (found,) = re.findall(rf"^{word} (?:--\S+ )*(?:CMD )?(\[.*\])$", DOCKERFILE, re.MULTILINE)
    return list(json.loads(found))


def manifest(kind: str, name: str = "chat") -> Any:
    (found,) = (
        each for each in MANIFESTS if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def pod(name: str = "chat") -> Any:
    return manifest("Deployment", name)["spec"]["template"]["spec"]


def container(name: str = "chat") -> Any:
    (found,) = pod(name)["containers"]
    return found


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def drain_of(command: list[str]) -> int:
    """The seconds over which a command drains."""
    *begin, over, wait = command
    assert (begin, wait) == (["lineman", "drain", "app.py", "--over"], "--wait")
    return seconds(over)


def environment_of_the_pod() -> dict[str, str]:
    return {each["name"]: each.get("value", "x" * 32) for each in container()["env"]}


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    command = [BIN / "hadolint", "--no-color", FOLDER / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_manifests_fit_the_schemas_of_kubernetes() -> None:
    command = [BIN / "kubernetes-validate", "--strict", FOLDER / "kubernetes.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(" passed ") == len(MANIFESTS)


def test_ports_are_the_same_in_all_files() -> None:
    (port,) = re.findall(r'"ws://0\.0\.0\.0:(\d+)"', PROGRAM)
    (metrics,) = re.findall(r"LINEMAN_METRICS=0\.0\.0\.0:(\d+)", DOCKERFILE)
    assert f"EXPOSE {port} {metrics}\n" in DOCKERFILE
    assert f"127.0.0.1:{metrics}/readyz" in command_of("HEALTHCHECK")[-1]
    assert COMPOSE["services"]["chat"]["ports"] == [f"{port}:{port}"]
    ports = {each["name"]: each["containerPort"] for each in container()["ports"]}
    assert ports == {"ws": int(port), "metrics": int(metrics)}
    assert manifest("Service")["spec"]["ports"][0]["targetPort"] == "ws"
    (rule,) = manifest("Ingress")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "chat", "port": {"name": "ws"}}
    probes = [container()[f"{kind}Probe"]["httpGet"] for kind in ("readiness", "liveness")]
    assert probes == [{"path": path, "port": "metrics"} for path in ("/readyz", "/healthz")]


def test_the_broker_is_the_redis_of_each_file() -> None:
    where = f"redis://redis:{container('redis')['ports'][0]['containerPort']}"
    assert environment_of_the_pod()["REDIS"] == where
    assert COMPOSE["services"]["chat"]["environment"]["REDIS"] == where
    (port,) = manifest("Service", "redis")["spec"]["ports"]
    assert f"redis://redis:{port['port']}" == where
    labels = {"app": "redis"}
    assert manifest("Service", "redis")["spec"]["selector"] == labels
    assert (
        manifest("Deployment", "redis")["spec"]["template"]["metadata"]["labels"].items()
        >= labels.items()
    )


def test_the_program_takes_every_variable(tmp_path: Path) -> None:
    pods = environment_of_the_pod()
    own = {*COMPOSE["services"]["chat"]["environment"]}
    assert {name for name in pods if not name.startswith("LINEMAN_")} == own
    assert all(f'os.environ["{name}"]' in PROGRAM or f'get("{name}"' in PROGRAM for name in own)
    shutil.copy(FOLDER / "app.py", tmp_path)
    command = [BIN / "lineman", "config", "app.py"]
    given = {**os.environ, **pods}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=given)
    assert done.returncode == 0, done.stderr
    assert [name for name in pods.keys() - own if name not in done.stdout] == []


def test_nobody_runs_as_root() -> None:
    (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0
    assert f"--uid {user} " in DOCKERFILE
    for name in ("chat", "redis"):
        assert pod(name)["securityContext"]["runAsNonRoot"]
        assert container(name)["securityContext"]["readOnlyRootFilesystem"]
        assert container(name)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod()["securityContext"]["runAsUser"] == int(user)


def test_there_is_time_for_the_drain_and_the_stop() -> None:
    over = drain_of(container()["lifecycle"]["preStop"]["exec"]["command"])
    assert pod()["terminationGracePeriodSeconds"] >= over + STOP_TIMEOUT + SPARE
    chat = COMPOSE["services"]["chat"]
    (before,) = chat["pre_stop"]
    assert drain_of(before["command"]) > 0
    assert seconds(chat["stop_grace_period"]) >= STOP_TIMEOUT + SPARE


def test_several_pods_stay_while_one_is_replaced() -> None:
    spec = manifest("Deployment")["spec"]
    assert spec["replicas"] > 1
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    for chosen in (spec["selector"], manifest("PodDisruptionBudget")["spec"]["selector"]):
        assert chosen["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert manifest("Service")["spec"]["selector"] == spec["template"]["metadata"]["labels"]


class Replica:
    """The command of the image, as a process."""

    def __init__(self, directory: Path, redis: int) -> None:
        directory.mkdir()
        self._directory = directory
        self.port, self._metrics = free_ports(2)
        program = PROGRAM.replace("0.0.0.0:8282", f"127.0.0.1:{self.port}")
        program = program.replace("workers=2", "workers=1")  # which is enough, and starts sooner
        (directory / "app.py").write_text(program, encoding="utf-8")
        self._environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "REDIS": f"redis://127.0.0.1:{redis}",
            "SECRET": "x" * 32,
            "LINEMAN_METRICS": f"127.0.0.1:{self._metrics}",
            "RUNTIME_DIRECTORY": str(directory),
        }
        self.program = self.begin(command_of("CMD"))

    def begin(self, command: list[str]) -> Program:
        """Begins a command of the files, as if in the container."""
        words = [word.replace(":9100/", f":{self._metrics}/") for word in command]
        path = shutil.which(words[0], path=self._environment["PATH"])
        assert path is not None
        return Program(words[0], [path, *words[1:]], env=self._environment, cwd=self._directory)

    def is_healthy(self) -> bool:
        """What Docker would say of it."""
        program = self.begin(command_of("HEALTHCHECK"))
        status = program.process.wait(DEADLINE)
        program.stop()
        return status == 0

    def status(self, path: str) -> int:
        """What a probe gets."""
        try:
            url = f"http://127.0.0.1:{self._metrics}{path}"
            with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def connect(self) -> PeerClient:
        return PeerClient(f"ws://127.0.0.1:{self.port}")


def test_two_replicas_serve_together_and_one_is_drained_and_stopped(tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(running(redis_server(tmp_path)))
        first, second = replicas = [Replica(tmp_path / name, redis.port) for name in "ab"]
        for each in replicas:
            stack.callback(each.program.stop)
        for each in replicas:
            each.program.wait_for_line("ready:")
            wait_until(each.is_healthy, "Docker finds it healthy")
        moved, stays = (stack.enter_context(each.connect()) for each in replicas)
        wait_until(lambda: _hears(moved, stays), "the replicas know each other")

        before = container()["lifecycle"]["preStop"]["exec"]["command"]
        drain = [word if word != f"{drain_of(before)}s" else "1s" for word in before]
        draining = first.begin(drain)
        stack.callback(draining.stop)
        with pytest.raises(ConnectionClosedError, match="1012"):
            list(moved)
        assert draining.process.wait(DEADLINE) == 0, draining.output
        wait_until(lambda: first.status("/readyz") == 503, "the state of before is no longer told")
        assert first.status("/healthz") == 200
        assert second.status("/readyz") == 200
        assert not first.is_healthy()

        first.program.process.terminate()
        assert first.program.process.wait(STOP_TIMEOUT + SPARE + DEADLINE) == 0
        assert "Traceback" not in first.program.output
        stays.send("still here")
        wait_until(lambda: stays.recv() == "still here", "the other replica serves")


def _hears(one: PeerClient, other: PeerClient) -> bool:
    """Whether a message gets from the clients of one replica to those of the other."""
    one.send("hello")
    one.recv()
    try:
        return bool(other.recv(0.2) == "hello")
    except TimeoutError:
        return False
