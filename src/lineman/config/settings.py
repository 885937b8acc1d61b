"""What `lineman.toml` and variables `LINEMAN_…` set: options of a program's services.

The environment wins over the file, and the file over the code. Each value has the name and the
check of the option in the code, and is read in the process that runs the program, with the rights
of its user; a master learns of it as of any other option.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from typing import Any

from lineman.base.option_kinds import OptionKind
from lineman.config.setting_values import from_text, from_toml
from lineman.errors import ConfigError

FILE = "lineman.toml"
PREFIX = "LINEMAN_"
# The variable that names the file, where it does not lie beside the program.
FILE_VARIABLE = "LINEMAN_CONFIG"
# Variables that mean something else.
OTHERS = frozenset(
    {
        FILE_VARIABLE, "LINEMAN_ROLE", "LINEMAN_PROGRAM", "LINEMAN_COMPILE", "LINEMAN_OPENSSL",
        "LINEMAN_ACME_DIRECTORY",
    }
)  # fmt: skip
PROGRAM = "program"
KINDS = ("worker", "gateway")
# The options of the whole program, which are attributes of the class `Worker`.
OF_PROGRAM = (
    "log_file", "log_format", "log_level", "log_max_size", "log_keep", "metrics", "signals",
    "broker", "service_name", "secret",
)  # fmt: skip
_NUMBERS_OF_PROGRAM = ("log_max_size", "log_keep")
# The name chooses the table, so no table sets it.
_FIXED = frozenset({"name"})
# Kubernetes sets such variables in every container, for a service called `lineman` or `lineman-…`.
_OF_KUBERNETES = re.compile(
    r"LINEMAN_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)
_MAX_FILE = 1024 * 1024
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class ConfiguredValue:
    """A value of an option that the code did not give.

    Attributes:
        value: the value, of the type that the option takes.
        source: where it comes from: `lineman.toml [worker.chat]`, or the variable's name.
    """

    value: object
    source: str


class Settings:
    """The settings of one program.

    Args:
        tables: the parsed file.
        file: its name, for messages.
        environment: variables by name.
    """

    def __init__(
        self, tables: Mapping[str, Any], file: str, environment: Mapping[str, str]
    ) -> None:
        self._file = file
        self._tables = {kind: self._table(tables, kind) for kind in (PROGRAM, *KINDS)}
        for name in tables:
            if name not in self._tables:
                raise ConfigError(
                    f"{file} has {name!r}", f"it has the tables [{PROGRAM}], [worker], [gateway]"
                )
        self._variables = {
            name: text
            for name, text in environment.items()
            if name.startswith(PREFIX)
            and text
            and name not in OTHERS
            and not _OF_KUBERNETES.fullmatch(name)
        }
        self._read_tables: set[tuple[str, str]] = set()
        self._read_variables: set[str] = set()
        self._names: dict[str, list[str]] = {kind: [] for kind in KINDS}
        self._known: set[str] = set()

    def _table(self, tables: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
        found = tables.get(kind, {})
        if not isinstance(found, dict):
            raise ConfigError(
                f"{self._file}: {kind} is {found!r}", f"write a table: [{kind}], and lines below it"
            )
        return found

    def of_program(self) -> dict[str, ConfiguredValue]:
        """The settings of the whole program, by the name of the attribute of `Worker`.

        Raises:
            ConfigError: one does not exist.
        """
        found = {}
        for name, value in self._tables[PROGRAM].items():
            if name not in OF_PROGRAM:
                raise ConfigError(
                    f"{self._file} [{PROGRAM}] has {name!r}", _meant(name, OF_PROGRAM)
                )
            found[name] = ConfiguredValue(value, f"{self._file} [{PROGRAM}]")
        for name in OF_PROGRAM:
            variable = PREFIX + name.upper()
            text = self._variables.get(variable)
            if text is not None:
                self._read_variables.add(variable)
                number = name in _NUMBERS_OF_PROGRAM and text.isdecimal()
                found[name] = ConfiguredValue(int(text) if number else text, variable)
        return found

    def of_service(self, kind: str, name: str, declared: type) -> dict[str, ConfiguredValue]:
        """The settings of one service, by option.

        Args:
            kind: `worker` or `gateway`.
            name: the service's name; empty for none.
            declared: the dataclass that declares its options.

        Raises:
            ConfigError: an option does not exist, or the value cannot work.
        """
        options = {each.name: each for each in fields(declared) if each.name not in _FIXED}
        found: dict[str, ConfiguredValue] = {}
        self._names[kind].append(name)
        self._known.update(options)
        table = self._tables[kind]
        own = {key: value for key, value in table.items() if not _is_service(options, key, value)}
        self._take(found, options, own, f"{self._file} [{kind}]")
        if name in table and name not in own:
            self._read_tables.add((kind, name))
            self._take(found, options, table[name], f"{self._file} [{kind}.{name}]")
        for prefix in (PREFIX, f"{PREFIX}{_as_variable(name)}__")[: 2 if name else 1]:
            for option in options.values():
                variable = prefix + option.name.upper()
                if variable in self._variables:
                    self._read_variables.add(variable)
                    text = self._variables[variable]
                    found[option.name] = _checked(option, from_text, text, variable)
        return found

    def _take(
        self,
        found: dict[str, ConfiguredValue],
        options: Mapping[str, Field[Any]],
        table: Mapping[str, Any],
        source: str,
    ) -> None:
        for name, value in table.items():
            option = options.get(name)
            if option is None:
                raise ConfigError(f"{source} has {name!r}", _meant(name, options))
            found[name] = _checked(option, from_toml, value, source)

    def check_names(self) -> list[str]:
        """Looks for what no service of the program has read, after all of them have.

        Returns:
            A line for each variable that is no setting; programs may have variables of their own.

        Raises:
            ConfigError: a table names no service, or a variable is a misspelt setting.
        """
        for kind in KINDS:
            if self._tables[kind] and not self._names[kind]:
                raise ConfigError(
                    f"{self._file} has [{kind}], and the program has no {kind}",
                    f"write [{next(each for each in KINDS if each != kind)}], or leave it out",
                )
            for name, value in self._tables[kind].items():
                if (kind, name) in self._read_tables or not isinstance(value, dict):
                    continue
                if name in self._known and self._names[kind]:
                    continue
                there = ", ".join(each for each in self._names[kind] if each) or "none with a name"
                raise ConfigError(
                    f"{self._file} has [{kind}.{name}], and the program has no {kind} of that name",
                    f"give the name of one; there are: {there}",
                )
        return [line for name in sorted(self._variables) if (line := self._unread(name))]

    def _unread(self, variable: str) -> str:
        if variable in self._read_variables:
            return ""
        service, _, option = variable.removeprefix(PREFIX).rpartition("__")
        options = {each.upper() for each in {*self._known, *OF_PROGRAM}}
        services = {_as_variable(each) for names in self._names.values() for each in names if each}
        if option in options and not service:
            return ""  # no service of this program has the option
        close = _close(option, options)
        if service and service not in services and (option in options or close):
            there = ", ".join(sorted(services)) or "no service has a name"
            raise ConfigError(
                f"the variable {variable} is for a service {service}, and the program has none",
                f"name one of the program: {there}; or unset it",
            )
        if close:
            prefix = variable[: len(variable) - len(option)]
            raise ConfigError(
                f"the variable {variable} is no setting",
                f"did you mean {prefix}{close}? Unset it, or give it another name, if it is "
                "your program's own",
            )
        return f"the variable {variable} is no setting of this program, and does nothing"


def _checked(
    option: Field[Any], make: Callable[[Field[Any], Any], object], given: object, source: str
) -> ConfiguredValue:
    kind: OptionKind | None = option.metadata.get("kind")
    try:
        value = make(option, given)
        if kind is not None:
            kind.check(option.name, value)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error.seen}", error.fix) from None
    return ConfiguredValue(value, source)


def _is_service(options: Mapping[str, object], name: str, value: object) -> bool:
    return isinstance(value, dict) and name not in options


def _as_variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _close(name: str, known: Iterable[str]) -> str:
    """The known name that is most like this one; empty for none."""
    import difflib  # needed for mistakes only

    return next(iter(difflib.get_close_matches(name, list(known), 1, _ALIKE)), "")


def _meant(name: str, known: Iterable[str]) -> str:
    if name in _FIXED:
        return "leave it out: the name of a service chooses the table, as [worker.chat]"
    close = _close(name, known)
    return (
        f"did you mean {close}?"
        if close
        else "see the reference for the options of a Worker and a Gateway"
    )


def path_of(environment: Mapping[str, str], arguments: Sequence[str]) -> str:
    """The path of a program's file: what `LINEMAN_CONFIG` names, or `lineman.toml` beside it."""
    named = environment.get(FILE_VARIABLE)
    script = arguments[0] if arguments else ""
    return os.path.abspath(named or os.path.join(os.path.dirname(os.path.abspath(script)), FILE))


def load(environment: Mapping[str, str], arguments: Sequence[str]) -> Settings:
    """Reads the settings of a program.

    Args:
        environment: variables by name.
        arguments: the command line of the program, the script first.

    Raises:
        ConfigError: the file cannot be read, or is no TOML.
    """
    file = path_of(environment, arguments)
    if not environment.get(FILE_VARIABLE) and not os.path.lexists(file):
        return Settings({}, FILE, environment)
    import tomllib  # few programs have a file

    try:
        # Without waiting: a pipe has no end that comes by itself.
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise ConfigError(f"{file} is no regular file", "write a file, or remove it")
            text = opened.read(_MAX_FILE + 1)
        if len(text) > _MAX_FILE:
            raise ConfigError(f"{file} has more than {_MAX_FILE} bytes", "give a smaller file")
        tables = tomllib.loads(text.decode())
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}",
            f"make it readable for the user of the program, or unset {FILE_VARIABLE}",
        ) from None
    except RecursionError:
        raise ConfigError(f"{file} is nested too deeply", "write tables as in the manual") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"{file} is no TOML: {error}", "correct the line that it names") from None
    return Settings(tables, os.path.basename(file), environment)
