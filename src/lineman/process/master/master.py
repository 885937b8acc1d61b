"""The master is small and never blocks. It owns the sockets, starts children, and waits.

`plan.decide` says what to do; this carries it out. A child is a fresh interpreter that runs the
program's own command with its role in the environment, so that a reload loads new code.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from lineman.errors import ConfigError
from lineman.process.child.process_title import MASTER, set_title
from lineman.process.log import log_setup
from lineman.process.master import master_stop, plan
from lineman.process.master.admitted_program import AdmittedProgram
from lineman.process.master.child_orders import event_of, order_of
from lineman.process.master.child_output import Outputs
from lineman.process.master.children import Child, Children, Program, cause_of, reap
from lineman.process.master.commands import Commands
from lineman.process.master.describing import Describing
from lineman.process.master.description import Description
from lineman.process.master.master_setting import Setting
from lineman.process.master.model import (
    Action,
    CommandOutcome,
    Ended,
    Event,
    Exit,
    Kill,
    Order,
    Phase,
    ProgramState,
    Reload,
    Remove,
    Say,
    Seat,
    Start,
    Stop,
    Woke,
)
from lineman.process.master.reactor import Reactor
from lineman.process.master.signal_meanings import ASKING, REMEDIES, STOPS, TABLES, Meaning
from lineman.process.master.systemd_notify import Notifier
from lineman.process.master.terminal_signals import ControllingTerminal, HangUp
from lineman.process.master.upkeep import Upkeep
from lineman.process.messages.role import BLOCKED, Role
from lineman.process.rundir.owner import names

logger = logging.getLogger("lineman")

SIGNALS = (*BLOCKED, signal.SIGCHLD, signal.SIGCONT)
# The longest wait in seconds; if it lasts longer, the master itself was stopped.
TICK = 5.0
OVERSLEPT = 1.0


class Master:
    """Keeps the program running until it gets the command to stop."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._terminal = ControllingTerminal()
        self._reactor = Reactor(SIGNALS)
        self._outputs = Outputs(self._reactor)
        self._staff = Children(self._reactor, self._on_event, self._on_answer)
        self._service = ProgramState([])
        self._events: list[Event] = []
        self._admitted = AdmittedProgram(setting)
        self._describing: Describing[Any] | None = None
        self._notifier = Notifier()
        self._desk = Commands(self._reactor, setting.pid_file, self)
        links = self._admitted.links
        parts = (setting.pid_file.restore, self._desk.server.restore, links.restore)
        self._upkeep = Upkeep((*parts, setting.sockets.check_files, log_setup.limit_size))
        self._exit: int | None = None
        self._has_begun = self._is_leaving = False
        self._reload_fault = ""

    def run(self, description: Description | None) -> int:
        """Runs until it gets the command to stop.

        Args:
            description: the program's description; None to ask the program for it.

        Returns:
            The exit status.

        Raises:
            ConfigError: a port or user that cannot be used.
        """
        set_title(f"{MASTER}{self.program.script}")
        try:
            if description is None:
                self._describe()
            else:
                self._begin(description)
            while self._exit is None:
                self._turn()
            return self._exit
        except ConfigError as error:
            self._setting.tell(False, str(error))
            raise
        finally:
            self._close()

    def _close(self) -> None:
        for number in list(self._staff.children):
            self._staff.kill(number)
        if self._describing is not None:
            os.kill(self._describing.pid, signal.SIGKILL)
        self._setting.tell(False, "the service was stopped before it was ready")
        self._admitted.close()
        self._desk.server.close()
        self._setting.pid_file.release()
        self._desk.close()
        self._outputs.end()
        self._reactor.close()

    def _turn(self) -> None:
        timeout = max(0.0, self._next_moment() - time.monotonic())
        asked_at = time.monotonic()
        signals = self._reactor.wait(timeout)
        if time.monotonic() - asked_at > timeout + OVERSLEPT:
            self._events.append(Woke())
        for number in signals:
            self._on_signal(number)
        self._reap()
        now = time.monotonic()
        if self._admitted.keyfiles.refresh(now):
            # The children cannot look at the files themselves, and so do not see that they changed.
            self._staff.order_all("reload-certificates")
        self._desk.expire(now)
        self._upkeep.look(now)
        if self._describing is not None and now >= self._describing.deadline:
            self._describing.give_up()
        if self._notifier.watchdog is not None:
            self._notifier.alive()
        if self._reload_fault:
            why, self._reload_fault = self._reload_fault, ""
            self._reload_failed(why)
        self._decide()

    def _next_moment(self) -> float:
        now = time.monotonic()
        moments = [
            now if self._events or self._reload_fault else now + TICK,
            self._service.next_deadline(),
            self._desk.next_deadline(),
            self._admitted.keyfiles.next_look(),
            self._upkeep.next_look,
            None if self._describing is None else self._describing.deadline,
            None if self._notifier.watchdog is None else now + self._notifier.watchdog,
        ]
        return min(moment for moment in moments if moment is not None)

    def _decide(self) -> None:
        if not self._has_begun and not any(isinstance(each, Stop) for each in self._events):
            return  # there is no plan yet
        events, self._events = self._events, []
        was_stopping = self._service.phase is Phase.STOPPING
        self._service, actions = plan.decide(self._service, events, time.monotonic())
        if self._service.phase is Phase.STOPPING and not was_stopping:
            self._notifier.stopping()
        for action in actions:
            self._do(action)

    # Incoming events.

    def _on_signal(self, number: int) -> None:
        meaning = TABLES[self._admitted.settings.get("signals", "lineman")].get(number)
        if meaning is Meaning.STOP:
            if not self._terminal.is_echo(time.monotonic()):
                self._events.append(Stop())
        elif meaning in STOPS:
            self._events.append(STOPS[meaning])
        elif meaning in (Meaning.RELOAD_OR_GONE, Meaning.STOP_OR_SURVIVE):
            self._hang_up(meaning)
        elif meaning is Meaning.RELOAD:
            self._desk.want_reload(None)
        elif meaning is Meaning.REOPEN_LOGS:
            self.reopen_logs()
        elif meaning is Meaning.NOTHING:
            logger.info("%s does nothing here; %s", *REMEDIES[number])
        elif number == signal.SIGCONT:
            self._events.insert(0, Woke())

    def _hang_up(self, meaning: Meaning) -> None:
        found = self._terminal.hang_up()
        if found is HangUp.RELOAD and meaning is Meaning.RELOAD_OR_GONE:
            self._desk.want_reload(None)
            return
        if found is not HangUp.RELOAD:
            logger.info(found.value)
        if found is not HangUp.SURVIVED:
            self._events.append(Stop())

    def reopen_logs(self) -> None:
        """Opens every log file again, here and in the children."""
        self._setting.reopen()
        self._staff.order_all("reopen-logs")

    def stop(self, event: Stop) -> None:
        """Stops the program."""
        self._events.append(event)

    def order_all(self, what: str, arguments: Mapping[str, Any]) -> None:
        """Sends an order to every child."""
        self._staff.order_all(what, **arguments)

    def _on_event(self, child: Child, name: str, details: Mapping[str, Any]) -> None:
        number = child.number
        event = event_of(number, name, details)
        if event is not None:
            self._events.append(event)
            if name == "ready":
                self._desk.greet(child)
        elif name == "counted":
            self._desk.ledger.note(number, child.place.title, details)
        elif name == "inquire" and child.place.module:
            self._desk.inform(child)  # only for children of Lineman's own
        elif name == "split":
            self._desk.tell_split(child.place)
        elif name == "changed":
            self._changed(number, details["path"])
        elif name == "stop-all":
            self._stop_for(child, **details)

    def _stop_for(self, child: Child, why: str, is_graceful: bool) -> None:
        """Stops the service for one of its processes, unless others run as another user."""
        if self._admitted.may_stop(child.place):
            said = f": {why}" if why else ""
            logger.info("%s (process %d) stops the service%s", child.place.title, child.pid, said)
            self._events.append(Stop(is_graceful=is_graceful, is_repeatable=True))

    def _changed(self, number: int, path: str) -> None:
        """Reloads for a changed file, if `--watch` is on; the report of one child is enough."""
        if self._setting.watches and number == self._service.oldest_ready():
            logger.info("%s has changed", path)
            self._desk.want_reload(None)

    def _on_answer(self, process: int, number: int, answer: bytes) -> None:
        self._desk.questions.take(process, number, answer)

    def _reap(self) -> None:
        for pid, status in reap():
            if self._describing is not None and pid == self._describing.pid:
                describing, self._describing = self._describing, None
                describing.ended(status)
                continue
            child = self._staff.gone(pid, status)
            if child is not None:
                self._outputs.drain()  # its last output
                code = os.waitstatus_to_exitcode(status)
                self._events.append(Ended(child.number, cause_of(status), code))
                self._desk.questions.leave(child.number)
                self._desk.ledger.settle(child.number)

    # The program.

    @property
    def service(self) -> ProgramState:
        """The present state of the plan."""
        return self._service

    @property
    def staff(self) -> Children:
        """The children."""
        return self._staff

    @property
    def program(self) -> Program:
        """The program that is run."""
        return self._setting.program

    @property
    def whose(self) -> Mapping[str, Any]:
        """User and group of the program, empty for this process' own; and the start's options."""
        whom = self._setting.rights.describer
        user, group = ("", "") if whom is None else names(*whom.ids)
        return {"user": user, "group": group, "given": self._setting.given}

    def _describe(self) -> None:
        self._describing = Describing(
            self._reactor,
            self.program,
            self._setting.rights.describer,
            BLOCKED,
            time.monotonic(),
            Description.from_json,
            self._described,
            functools.partial(Role, moment="reload") if self._has_begun else Role,
        )

    def _described(self, description: Description | ConfigError) -> None:
        is_start = not self._has_begun
        try:
            if isinstance(description, ConfigError):
                raise description
            if is_start:
                self._begin(description)
            else:
                self._events.append(Reload(self._seats(description)))
        except ConfigError as error:
            if is_start:
                raise
            self._reload_failed(str(error))

    def _begin(self, description: Description) -> None:
        self._setting.sockets.refuse_strangers(description.places)
        self._service = ProgramState(list(self._seats(description)))
        self._has_begun = True

    def _seats(self, description: Description) -> tuple[Seat, ...]:
        """The seats of a program; opens their sockets, or changes nothing."""
        seats = self._admitted.admit(description)
        self._reactor.catch(set(ASKING) & set(TABLES[self._admitted.settings["signals"]]))
        return seats

    def begin_reload(self) -> bool:
        """Begins a reload, with a new description; returns False if that is not possible now."""
        if (
            self._reload_fault
            or self._describing
            or any(isinstance(event, Reload) for event in self._events)  # described, but not begun
            or self._service.reloading
            or self._service.phase is not Phase.RUNNING
        ):
            return False
        logger.info("reloading: reading the program again")
        self._notifier.reloading()
        try:
            self._describe()
        except (ConfigError, OSError) as error:
            self._reload_fault = str(error)  # answered in the next turn, when the caller is noted
        return True

    def _reload_failed(self, why: str) -> None:
        text = f"the reload failed: {why}; all processes keep the old code"
        logger.error("%s", text)
        self._reloaded(False, text)

    def _reloaded(self, ok: bool, text: str) -> None:
        self._notifier.ready(text)
        self._desk.reload_is_over(ok, text)

    # Actions.

    def _do(self, action: Action) -> None:
        if isinstance(action, Start):
            self._start(action)
        elif isinstance(action, Order):
            name, arguments = order_of(action)
            self._staff.order(action.number, name, **arguments)
        elif isinstance(action, Kill):
            self._kill(action)
        elif isinstance(action, Remove):
            self._setting.sockets.close(action.key)
        elif isinstance(action, Say):
            logger.log(action.level, "%s", action.text)
        elif isinstance(action, CommandOutcome):
            self._announce(action)
        elif isinstance(action, Exit):
            self._leave(action.status)

    def _leave(self, status: int) -> None:
        """Ends, after the program's on_master_stop; an order to end at once leaves that out."""
        if self._service.is_forced or not self._admitted.settings.get("has_master_stop"):
            self._left(status)
        elif not self._is_leaving:
            self._is_leaving = True
            if self._describing is not None:
                os.kill(self._describing.pid, signal.SIGKILL)
            self._describing = master_stop.begin(
                self._reactor, self._setting, functools.partial(self._left, status)
            )

    def _left(self, status: int) -> None:
        self._exit = status
        logger.info("stopped")

    def _announce(self, outcome: CommandOutcome) -> None:
        if outcome.what == "reload":
            if outcome.ok:
                self._admitted.reloaded()
            else:
                self._admitted.reload_failed(self._staff.children.values())
            self._reloaded(outcome.ok, outcome.text)
            return
        self._setting.tell(outcome.ok, outcome.text)
        if outcome.ok:
            self._notifier.ready(outcome.text)

    def _kill(self, action: Kill) -> None:
        child = self._staff.children.get(action.number)
        if child is not None:
            logger.error("process %d is killed: %s", child.pid, action.why)
            self._staff.kill(action.number)

    def _start(self, action: Start) -> None:
        try:
            place, popen, end = self._admitted.start(action.key, self._outputs.opened())
        except (ConfigError, OSError) as error:
            self._events.append(Ended(action.number, str(error)))
            return
        self._staff.take(action.number, action.key, place, popen, end)
        self._service.note_pid(action.number, popen.pid)
