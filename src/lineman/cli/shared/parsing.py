"""A command line that suggests the right word if one is misspelt, and times on it."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

UNKNOWN = "unrecognized arguments: "
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Parser(argparse.ArgumentParser):
    """argparse's parser, which also suggests the name nearest to an unknown one."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = action.choices
        if choices is None or value in choices:
            return
        shown = ", ".join(str(choice) for choice in choices)
        word = str(value)
        if action.metavar == "COMMAND" and os.path.isfile(word):
            # Workerman's order.
            hint = f"the command comes first: {self.prog} start {word}"
        else:
            hint = did_you_mean(word, map(str, choices)) or f"there are: {shown}"
        raise argparse.ArgumentError(action, f"there is no {word!r}; {hint}")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The options. What is unknown is `rest` where the command takes it, else an error."""
        found, rest = self.parse_known_args(args, namespace)
        takes = getattr(found, "takes_rest", None)
        if rest and (takes is None or not takes(found)):
            self.error(UNKNOWN + " ".join(rest))
        found.rest = rest
        return found

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong with the command line, and ends with status 2."""
        if message.startswith(UNKNOWN):
            known = set(_options(self))
            for word in message.removeprefix(UNKNOWN).split():
                hint = did_you_mean(word.partition("=")[0], known) if word[:1] == "-" else ""
                if hint:
                    message = f"{message}; {hint}"
                    break
        super().error(message)


def span(text: str) -> float:
    """A length of time in seconds: `90`, `30s`, `5m`, `2h`, `1d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it like 90, 5m or 2h")
    return float(found.group(1)) * _UNITS[found.group(2)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The words that ask for the nearest one; empty where none is near."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _options(each)
