"""Carries out the requests of commands to a master, and sends the replies."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from lineman.base.version import VERSION
from lineman.errors import UsageError
from lineman.process.master.children import Child, Children, Program
from lineman.process.master.control_socket import Caller, ChildQuestions, ControlServer
from lineman.process.master.description import Place
from lineman.process.master.drain_order import DrainOrder, words
from lineman.process.master.ended_counters import EndedCounters
from lineman.process.master.model import Phase, ProgramState, Stage, Stop
from lineman.process.master.reactor import Channel, Reactor
from lineman.process.messages.lines import encode, join_reply
from lineman.process.rundir.rundir import PidFile, control_path

logger = logging.getLogger("lineman")

# The most bytes of a process' figures for the exporter.
MAX_TOLD = 256 * 1024

# Seconds between looks whether the event that a caller waits for has happened.
SOON = 0.1


class Boss(Protocol):
    """The part of the master that `Commands` uses."""

    @property
    def service(self) -> ProgramState:
        """The present state of the plan."""

    @property
    def staff(self) -> Children:
        """The children."""

    @property
    def program(self) -> Program:
        """The program that is run."""

    @property
    def whose(self) -> Mapping[str, Any]:
        """User and group of the program, empty for this process' own; and the start's options."""

    def begin_reload(self) -> bool:
        """Begins a reload; returns False if that is not possible now."""

    def stop(self, event: Stop) -> None:
        """Stops the program."""

    def reopen_logs(self) -> None:
        """Opens every log file again."""

    def order_all(self, what: str, arguments: Mapping[str, Any]) -> None:
        """Sends an order to every child."""


class _Line:
    """A child of Lineman's own that asks for the service's status: it gets one message."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def reply_raw(self, parts: Iterable[bytes]) -> None:
        """Sends the reply to the child."""
        reply = join_reply(b"".join(parts), MAX_TOLD)
        self._channel.send(encode({"do": "informed", "reply": reply}))


class Commands:
    """Takes requests from the control socket.

    `stop` and `reload` are answered once they are over, `reopen-logs` and `do` at once;
    everything else is a question to the children.
    """

    def __init__(self, reactor: Reactor, pid_file: PidFile, boss: Boss) -> None:
        self._boss = boss
        self._started_at = time.time()
        path = control_path(pid_file.path)
        self.server = ControlServer(reactor, path, self._on_request, pid_file.claims)
        self.questions = ChildQuestions(self._compose)
        self.ledger = EndedCounters()
        self._resume_at = 0.0
        self._stopping: list[Caller] = []
        self._reloading: list[tuple[Caller, bool]] = []
        self._reload_next: list[tuple[Caller, bool]] = []
        self._reload_again = False
        self._draining: list[tuple[Caller, dict[str, Any]]] = []
        self._told_split: set[str] = set()
        self._drain: DrainOrder | None = None  # of clients; `_draining` waits for old processes

    def tell_split(self, place: Place) -> None:
        """Logs, once for a worker, that each of its processes has its own clients."""
        if place.count > 1 and place.title not in self._told_split:
            self._told_split.add(place.title)
            logger.warning(
                "%s runs in %d processes, and worker.broadcast and worker.connections reach the "
                "clients of one process alone; fix: worker.broadcast(…, everywhere=True); or use "
                "Gateway, whose groups and send_to_all reach every client; or count=1",
                place.title,
                place.count,
            )

    def _on_request(self, caller: Caller, request: dict[str, Any]) -> None:
        command = request.get("command")
        if command == "stop":
            self._stopping.append(caller)
            is_graceful = bool(request.get("graceful"))
            self._boss.stop(Stop(is_graceful=is_graceful, is_repeatable=True))
        elif command == "reload":
            self.want_reload(caller, bool(request.get("graceful")))
        elif command in ("drain", "keep"):
            caller.reply(self._order_drain(request if command == "drain" else None))
        elif command == "reopen-logs":
            self._boss.reopen_logs()
            caller.reply({"ok": True, "text": "every process opens its log file anew"})
        elif command == "whose":
            program = self._boss.program
            told = {"script": program.script, "started_with": list(program.command)}
            caller.reply({**self._boss.whose, **told})
        elif command == "do" and isinstance(request.get("what"), str):
            self._boss.order_all(request["what"], request.get("arguments") or {})
            caller.reply({"ok": True, "text": f"every process was told: {request['what']}"})
        elif isinstance(command, str):
            children = {
                number: child.channel for number, child in self._boss.staff.children.items()
            }
            self.questions.ask(caller, request, children, time.monotonic())
        else:
            caller.reply({"error": f"the request has no command: {request!r:.200}"})

    def inform(self, child: Child) -> None:
        """Sends the reply of the command `status` to a child of Lineman's own, by its link."""
        if child.channel.unsent > MAX_TOLD:
            return  # it has not read the last message yet
        children = {number: each.channel for number, each in self._boss.staff.children.items()}
        line = _Line(child.channel)
        self.questions.ask(line, {"command": "status"}, children, time.monotonic())

    # Draining.

    def _order_drain(self, request: Mapping[str, Any] | None) -> dict[str, Any]:
        """Drains the clients as a request says, or ends that without one; returns the reply."""
        now = time.monotonic()
        before = self._present_drain(now)
        if self._boss.service.phase is Phase.STOPPING:
            return {"ok": False, "text": "the service is stopping"}
        if request is None:
            self._drain = None
            self._order_holders("keep-clients", {})
            if before is not None:
                logger.info("the drain is cancelled: all processes take clients")
            return {"ok": True, "was_draining": before is not None}
        try:
            order = DrainOrder.read(request, now)
        except UsageError as error:
            return {"ok": False, "text": str(error)}
        if not any(seat.takes_clients for seat in self._boss.service.seats):
            return {"ok": False, "text": "no worker of the program takes clients"}
        if before is not None and before.refuses and not order.refuses:
            return {"ok": False, "text": "all its clients are being drained already"}
        self._drain = order
        logger.info("%s", words(order))
        self._order_holders("drain-clients", order.arguments(now))
        return {"ok": True, "was_draining": before is not None}

    def _present_drain(self, now: float) -> DrainOrder | None:
        if self._drain is not None and self._drain.is_over(now):
            self._drain = None
        return self._drain

    def _order_holders(self, what: str, arguments: Mapping[str, Any]) -> None:
        """Sends an order to the processes that serve clients."""
        for seat in self._boss.service.seats:
            for process in seat.processes:
                if seat.takes_clients and process.stage is Stage.READY:
                    self._boss.staff.order(process.number, what, **arguments)

    def greet(self, child: Child) -> None:
        """Tells a process that has just begun to serve of a drain that refuses new clients."""
        now = time.monotonic()
        order = self._present_drain(now)
        if order is None or not order.refuses:
            return
        if any(seat.takes_clients and seat.key == child.key for seat in self._boss.service.seats):
            self._boss.staff.order(child.number, "drain-clients", **order.arguments(now))

    # Reloading.

    def want_reload(self, caller: Caller | None, waits: bool = False) -> None:
        """Reloads now, or after the present reload, which may have read older code.

        Args:
            caller: gets the outcome; None for a signal.
            waits: whether the outcome comes only after the old processes have ended.
        """
        if self._boss.service.phase is Phase.STOPPING:
            if caller is not None:
                caller.reply({"ok": False, "text": "the service is stopping"})
            return
        if self._boss.begin_reload():
            if caller is not None:
                self._reloading.append((caller, waits))
            return
        self._reload_again = True
        if caller is not None:
            self._reload_next.append((caller, waits))

    def reload_is_over(self, ok: bool, text: str) -> None:
        """Answers the waiting callers; begins the next reload if one was asked for."""
        for caller, waits in self._reloading:
            reply = {"ok": ok, "text": text}
            if ok and waits:
                self._draining.append((caller, reply))
            else:
                caller.reply(reply)
        self._reloading.clear()
        self._go_on()

    def _go_on(self) -> None:
        if self._reload_again and self._boss.begin_reload():
            self._reload_again = False
            self._reloading += self._reload_next  # each waiting caller gets an answer
            self._reload_next = []

    # The clock.

    def expire(self, now: float) -> None:
        """Replies to callers whose time is over, or whose event has happened."""
        self.questions.expire(now)
        self._go_on()
        if now >= self._resume_at:
            self._resume_at = now + 1.0
            self.server.resume()
        if self._draining and not self._is_draining():
            for caller, reply in self._draining:
                caller.reply(reply)
            self._draining.clear()

    def _is_draining(self) -> bool:
        return any(
            process.deadline is not None
            for seat in self._boss.service.seats
            for process in seat.processes
        )

    def next_deadline(self) -> float | None:
        """The latest time for the next call of `expire`; None for never."""
        moments = [self.questions.next_deadline()]
        if self._draining or self._reload_again:
            moments.append(time.monotonic() + SOON)
        return min((moment for moment in moments if moment is not None), default=None)

    def close(self) -> None:
        """Answers the callers that waited for the end; `server` is closed before."""
        for caller in self._stopping:
            caller.reply({"ok": True, "text": "stopped"})
        for caller, _ in self._reloading + self._reload_next:
            caller.reply({"ok": False, "text": "the service was stopped meanwhile"})
        for caller, reply in self._draining:
            caller.reply(reply)

    # The reply: answers of the children, and the master's own data.

    def _compose(self, answers: Mapping[int, bytes]) -> Iterable[bytes]:
        facts = list(self._about_children())
        about = {"master": self._about_master(), "ended": self.ledger.ended(), "children": facts}
        yield encode(about)
        for child in facts:
            yield answers.get(child["number"], b"null")
            yield b"\n"

    def _about_master(self) -> dict[str, Any]:
        drain = self._present_drain(time.monotonic())
        return {
            "pid": os.getpid(),
            "started": self._started_at,
            "script": self._boss.program.script,
            "state": self._state(drain),
            "version": VERSION,
            **({} if drain is None else drain.about()),
        }

    def _state(self, drain: DrainOrder | None) -> str:
        service = self._boss.service
        if drain is not None and drain.refuses and service.phase is Phase.RUNNING:
            return "draining"
        return "reloading" if service.reloading else service.phase.value

    def _about_children(self) -> Iterable[dict[str, Any]]:
        for seat in self._boss.service.seats:
            for process in seat.processes:
                child = self._boss.staff.children.get(process.number)
                if child is None:
                    continue
                yield {
                    "number": process.number,
                    "worker": seat.title.rpartition(" #")[0],
                    "slot": seat.key[2],
                    "pid": child.pid,
                    "state": process.stage.value,
                    "started": child.started_at,
                    "restarts": seat.restarts,
                    "last_cause": seat.last_cause,
                    "takes_clients": seat.takes_clients,
                    "lag": child.lag,
                    "last": self.ledger.last(process.number),
                }
            if not seat.processes:
                yield {
                    "number": 0,
                    "worker": seat.title.rpartition(" #")[0],
                    "slot": seat.key[2],
                    "pid": None,
                    "state": "down",
                    "started": None,
                    "restarts": seat.restarts,
                    "last_cause": seat.last_cause,
                    "takes_clients": seat.takes_clients,
                    "lag": None,
                }
