"""For the tests with real programs: a test CA, and a proxy with a service behind it."""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from e2e.support.client import DOMAIN
from e2e.support.clinic import Clinic, clinic
from e2e.support.proxies import KINDS, Proxy, Start, StartProxy, running, site_options
from e2e.support.service import TRUSTED, Service, service
from kit.program import Program
from lineman.testing.certificates import IssuedPair, TestCA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """Shows the output of the running programs after a failure."""
    report = (yield).get_result()
    if report.failed:
        for program in Program.alive:
            report.sections.append((f"output of {program.name}", program.output))


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def certificate(ca: TestCA) -> IssuedPair:
    """For the howto's domain, under an intermediate: the leaf without its chain is not trusted."""
    return ca.intermediate().issue([DOMAIN, "localhost", "127.0.0.1"])


@pytest.fixture
def trust(ca: TestCA) -> ssl.SSLContext:
    """A client's TLS settings that trust the test CA only."""
    return ssl.create_default_context(cafile=ca.ca_path)


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory, certificate: IssuedPair) -> Start:
    """Makes functions that start a proxy which a stack ends."""

    def starting(stack: ExitStack) -> StartProxy:
        def start(
            kind: str, worker: str | int, replacements: Mapping[str, str] | None = None, **site: Any
        ) -> Proxy:
            where = f"127.0.0.1:{worker}" if isinstance(worker, int) else worker
            files = {"cert": certificate.cert, "key": certificate.key}
            options = site_options(where, **{**files, **site})
            directory = tmp_path_factory.mktemp(kind)
            return stack.enter_context(running(kind, directory, options, replacements or {}))

        return start

    return starting


@pytest.fixture
def start_proxy(stack: ExitStack, starter: Start) -> StartProxy:
    """Starts one of the four in front of a worker; ended after the test."""
    return starter(stack)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which proxy: the test runs once with each."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def session_stack() -> Iterator[ExitStack]:
    """Ends what is shared by all tests of this process."""
    with ExitStack() as exits:
        yield exits


@pytest.fixture(scope="session")
def worker(session_stack: ExitStack) -> Service:
    """The service that trusts its proxy; shared, and no test ends it."""
    options = {**TRUSTED, "subprotocols": ["chat.v2", "chat.v1"], "max_message_size": 16 << 20}
    return session_stack.enter_context(service(**options, max_send_buffer_size=32 << 20))


@pytest.fixture(scope="session")
def shared_proxies(session_stack: ExitStack, starter: Start, worker: Service) -> dict[str, Proxy]:
    """Those that are in front of that service already, by their kind."""
    return {}


@pytest.fixture
def proxy(
    session_stack: ExitStack,
    starter: Start,
    shared_proxies: dict[str, Proxy],
    worker: Service,
    kind: str,
) -> Proxy:
    """A proxy in front of the shared service; shared, and no test reloads it."""
    if kind not in shared_proxies:
        shared_proxies[kind] = starter(session_stack)(kind, worker.where)
    return shared_proxies[kind]


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """All faults for the doctor's tests; shared, and no test mends one."""
    with clinic(tmp_path_factory.mktemp("clinic")) as running:
        yield running
