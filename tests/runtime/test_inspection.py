"""Looking into a worker that runs: its figures and its connections, on real sockets."""

from __future__ import annotations

import json
import os
import ssl
import time
from typing import Any

import pytest

from kit.site import Site, echo
from kit.waiting import wait_until
from lineman import Connection, Worker
from lineman.process.messages.connection_rows import SORTS, FoundRows, Selection, merge
from lineman.process.messages.process_status import Certificate, ProcessReport, Traffic
from lineman.runtime import inspection
from lineman.runtime.inspection import Inspection
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving


@pytest.fixture
def site() -> Any:
    worker = Worker(
        "ws://127.0.0.1:0", name="chat", subprotocols=["json"], trusted_proxies=["127.0.0.1/32"]
    )
    worker.on_message = echo
    with Site(worker, None) as site:
        yield site
        site.close_clients()


def from_client(ip: str) -> list[tuple[str, str]]:
    return [("X-Real-IP", ip)]


def inspect(serving: Serving, **options: Any) -> Inspection:
    return serving.call(lambda: Inspection(serving.worker.runtime, **options))


def report_of(serving: Serving, inspection: Inspection, **arguments: Any) -> ProcessReport:
    answer = serving.call(lambda: inspection.status(**arguments))
    return ProcessReport.from_json(json.loads(json.dumps(answer)))


def ask(serving: Serving, inspection: Inspection, **wanted: Any) -> FoundRows:
    selection = Selection(**wanted)
    answer = serving.run(inspection.connections(**selection.to_json()))
    child = {"worker": "chat", "slot": 0, "pid": os.getpid(), "answer": json.loads(answer)}
    return merge({"children": [child]}, selection)


def test_a_report_tells_what_was_carried_and_what_the_process_uses(site: Site) -> None:
    looking = inspect(site)
    client = site.open()
    site.connect()  # one that says nothing
    client.send("hello")
    assert client.receive() == "hello"
    wait_until(lambda: site.worker.service.accepted == 2, "both are there")  # type: ignore[union-attr]
    report = report_of(site, looking, pss=True)
    assert (report.worker, report.url) == ("chat", f"ws://127.0.0.1:{site.port}")
    assert (report.connections, report.handshakes, report.accepted, report.opened) == (1, 1, 2, 1)
    assert report.totals.messages_in == report.totals.messages_out == 1
    assert report.totals.bytes_in > 100
    assert report.pid == os.getpid()
    assert report.rss > (report.pss or 0) > 1e6
    assert report.cpu_seconds > 0
    assert time.time() - 1e6 < report.started < time.time() + 1
    assert 5 < report.descriptors < report.max_descriptors
    assert report.certificates == ()
    assert report_of(site, looking).pss is None


def test_rates_come_from_samples(site: Site) -> None:
    looking = inspect(site, at_least=0.01)
    client = site.open()
    site.call(looking.start)
    client.send("hello")
    assert client.receive() == "hello"
    wait_until(lambda: report_of(site, looking).rates.messages_in > 0, "a rate is known")
    site.call(looking.stop)
    assert report_of(site, looking).rates != Traffic()


def test_what_goes_wrong_is_counted(site: Site) -> None:
    looking = inspect(site)
    assert site.connect().request().status == 426
    site.open().send_close(1000)
    site.close_clients()
    wait_until(lambda: not site.worker.connections, "it has ended")
    site.worker.service.messages_dropped = 7  # type: ignore[union-attr]
    report = report_of(site, looking)
    assert report.dropped == 7
    assert report.refusals == {"426": 1}
    assert report.closes == {"client": 1}


def test_a_certificate_is_described(tmp_path_factory: pytest.TempPathFactory) -> None:
    pair = TestCA(tmp_path_factory.mktemp("ca")).issue(["localhost", "127.0.0.1"])
    for given in (
        {"cert": pair.cert, "key": pair.key},
        {"context": {"ssl": {"local_cert": str(pair.cert), "local_pk": str(pair.key)}}},
    ):
        worker = Worker("wss://127.0.0.1:0", **given)  # type: ignore[arg-type]
        with Serving(worker) as serving:
            worker.live_tls.unknown_names = 2  # type: ignore[union-attr]
            report = report_of(serving, inspect(serving))
        (found,) = report.certificates
        assert report.unknown_names == 2
        assert found.names == ("localhost", "127.0.0.1")
        assert found.expires > time.time()
        assert int(found.serial, 16) > 0
        assert abs(found.loaded - time.time()) < 60


def test_of_many_certificates_the_default_and_those_that_end_first_are_told() -> None:
    many = [Certificate(serial=str(number), expires=1000.0 - number) for number in range(30)]
    told = inspection.shortlist(many)
    assert [each.serial for each in told] == ["0", *map(str, range(29, 10, -1))]
    assert inspection.shortlist([]) == ()


def test_a_connection_is_a_row(site: Site) -> None:
    client = site.open("/room/7?who=me", from_client("10.1.2.3"), ["json"])
    client.send("hello")
    assert client.receive() == "hello"
    (row,) = ask(site, inspect(site)).rows
    assert row.ip == "10.1.2.3"
    assert row.peer == f"127.0.0.1:{client.address[1]}"
    assert (row.path, row.protocol, row.tls, row.subprotocol) == ("/room/7", "ws", None, "json")
    assert (row.messages_in, row.messages_out, row.state) == (1, 1, "open")
    assert row.since is not None
    assert abs(row.since - time.time()) < 60
    assert row.bytes_in > row.bytes_out > 0


def test_a_row_shows_tls_that_has_begun_in_mid_connection(
    certificate: IssuedPair, client_tls: ssl.SSLContext
) -> None:
    def begin(connection: Connection, line: str) -> None:
        connection.send(f"{line} heard")
        if connection.tls is None:
            connection.start_tls()

    worker = Worker(
        "text://127.0.0.1:0", cert=certificate.cert, key=certificate.key, start_tls=True
    )
    worker.on_message = begin
    with Site(worker, None) as site:
        client = site.connect()
        for tls in (None, "TLSv1.3"):
            client.send_bytes(b"it is\n")
            assert client.receive_bytes() == b"it is heard\n"
            (row,) = ask(site, inspect(site)).rows
            assert (row.protocol, row.tls) == ("text", tls)
            if tls is None:
                client.start_tls(client_tls)
        site.close_clients()


def test_a_row_says_where_its_client_has_come_in_if_there_are_several_addresses(
    site: Site,
) -> None:
    several = ["text://127.0.0.1:0", "tcp://127.0.0.1:0"]
    with Serving(Worker(several)) as serving:
        ports = [int(url.rpartition(":")[2]) for url in serving.worker.urls]
        with RawClient(ports[1]), RawClient(ports[0]):
            wait_until(lambda: len(serving.worker.connections) == 2, "both are there")
            rows = ask(serving, inspect(serving)).rows
    assert {(row.protocol, row.address) for row in rows} == {
        ("text", several[0]),
        ("tcp", several[1]),
    }
    site.open()
    (row,) = ask(site, inspect(site)).rows
    assert row.address == ""


def test_more_connections_than_a_slice_are_all_found(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "SLICE", 2)
    for _ in range(7):
        site.open()
    looking = inspect(site)
    everything = ask(site, looking)
    assert [row.id for row in everything.rows] == [1, 2, 3, 4, 5, 6, 7]
    some = ask(site, looking, limit=2)
    assert [row.id for row in some.rows] == [1, 2]
    assert (some.matching, some.total) == (7, 7)
    assert [row.id for row in ask(site, looking, limit=2, reverse=True).rows] == [7, 6]
    monkeypatch.setattr(inspection, "SORTED", 1)
    assert [row.id for row in ask(site, looking, limit=2, reverse=True).rows] == [7, 6]


@pytest.mark.parametrize("sort", SORTS)
def test_a_process_chooses_the_same_rows_as_the_command_would(site: Site, sort: str) -> None:
    for number in range(6):
        client = site.open(headers=from_client(f"10.0.0.{12 - number}"))
        for _ in range(number * 3 % 7):
            client.send("x" * number)
            client.receive_message()
    looking = inspect(site)
    everything = ask(site, looking, sort=sort)
    few = ask(site, looking, sort=sort, limit=3)
    assert [row.id for row in few.rows] == [row.id for row in everything.rows[:3]]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"ip": "127.0.0.1"}, 2),
        ({"ip": "127.0.0.0/8"}, 3),
        ({"ip": "::1"}, 0),
        ({"state": "open"}, 2),
        ({"state": "handshake"}, 1),
        ({"worker": "chat"}, 3),
        ({"worker": "push"}, 0),
        ({"pid": 1}, 0),
        ({"idle_for": 1000.0}, 0),
        ({"idle_for": 5.0}, 2),
        ({"idle_for": 5.0, "state": "open"}, 1),
    ],
)
def test_filters(site: Site, wanted: dict[str, Any], count: int) -> None:
    site.open(headers=from_client("127.0.0.1"))
    site.plain()
    wait_until(lambda: site.worker.service.accepted == 2, "both are there")  # type: ignore[union-attr]
    site.advance_clock(6)
    site.open(headers=from_client("127.9.9.9"))
    found = ask(site, inspect(site), **wanted)
    assert (found.matching, len(found.rows), found.total) == (count, count, 3)


def test_a_worker_that_does_not_run_is_not_inspected() -> None:
    with pytest.raises(RuntimeError, match="before it was started"):
        Inspection(Worker("ws://127.0.0.1:0").runtime)


def test_a_connection_that_ends_while_the_table_is_gathered_is_left_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "SLICE", 1)
    for _ in range(3):
        site.open()

    async def gather() -> bytes:
        looking = Inspection(site.worker.runtime)
        found = looking.connections(limit=10)
        found.send(None)  # the first slice is done
        for connection in list(site.worker.connections.values()):
            if connection.id != 1:
                connection.destroy()
        while True:
            try:
                found.send(None)
            except StopIteration as done:
                answer: bytes = done.value
                return answer

    rows = json.loads(site.run(gather()))["rows"]
    assert [row[0] for row in rows] == [1]


def test_a_client_is_not_kept_waiting_by_a_long_table(site: Site) -> None:
    with RawClient(site.port) as client:
        client.open().send("hello")
        assert ask(site, inspect(site)).total == 1
        assert client.receive() == "hello"
