"""The pages of the API: one for each public name, from its signature and its docstrings."""

from __future__ import annotations

import enum
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import lineman
from lineman import Gateway, GatewayOptions, Worker, WorkerOptions
from lineman.config.callback_slots import Slot
from lineman_site import docstrings, option_tables
from lineman_site.public_members import is_public

NAMES = [name for name in lineman.__all__ if name != "__version__"]
OPTIONS_OF: dict[object, type] = {Worker: WorkerOptions, Gateway: GatewayOptions}
# What programs get from Lineman and do not make: their signatures are of no use.
GIVEN = frozenset((
    *("Answers", "CertificateInfo", "CertificateStatus", "Client", "ClientTls", "Connecting"),
    *("Connection", "DatagramPeer", "Delay", "DevelopmentCertificate", "HasId", "Headers"),
    *("HistoryPage", "Job", "KeptMessage", "LiveTls", "Protocol", "ProxyHeader", "ErrorCode"),
    *("ReconnectingLine", "Request", "SlowReaders", "Timer", "TlsInfo", "UploadedFile"),
))  # fmt: skip
LONGEST_SIGNATURE = 9  # parameters; of more, those that must be named are in the table
# Where people have written about members that have no docstring: callbacks, settings of a class.
REFERENCE_OF = {"Worker": "worker.md", "Gateway": "gateway.md", "Dialer": "client.md"}


def pages() -> Iterator[tuple[str, str]]:
    """Name and text (Markdown) of each page."""
    for name in NAMES:
        value = getattr(lineman, name)
        parts = _class_page(name, value) if inspect.isclass(value) else _function_page(name, value)
        yield f"{name}.md", f"# `{name}`\n\n" + "\n\n".join(each for each in parts if each) + "\n"


def _directive(kind: str, title: str, body: str, *options: str) -> str:
    lines = [f"``````{{py:{kind}}} {title}", ":module: lineman", *options, "", body, "``````"]
    return "\n".join(lines)


def _function_page(name: str, function: Callable[..., Any]) -> Iterator[str]:
    doc = docstrings.parse(inspect.getdoc(function) or "")
    yield _directive("function", name + signature(function), doc.markdown())
    if name == "connect":
        yield "Its options are those of [`ClientOptions`](ClientOptions.md)."


def _class_page(name: str, value: type) -> Iterator[str]:
    doc = docstrings.parse(value.__dict__.get("__doc__") or "")
    options = OPTIONS_OF.get(value, value)
    table = option_tables.table(options)
    title = name if name in GIVEN or _is_plain(value) else name + signature(value)
    kind = "exception" if issubclass(value, BaseException) else "class"
    yield _directive(
        kind, title, doc.markdown(("Attributes",) if table and options is value else ())
    )
    if table:
        is_given = name in GIVEN
        yield "## Values" if is_given else "## Options"
        yield table.replace("| Option |", "| Name |", 1) if is_given else table
    members = [_member(name, each, found) for each, found in _members(name, value)]
    entries = [*doc.entries.get("Args", []), *doc.entries.get("Attributes", [])]
    told = {each for names, _ in entries for each in _split(names)}
    told |= {row.split("`")[1] for row in table.splitlines()[2:]}
    for heading, kinds in HEADINGS.items():
        shown = [text for member, kind, text in members if kind in kinds and member not in told]
        if shown:
            yield f"## {heading}\n\n" + "\n\n".join(shown)


HEADINGS = {"Callbacks": ("callback",), "Methods": ("method",), "Attributes": ("attribute",)}


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _is_plain(value: type) -> bool:
    """Whether a class takes nothing that is to be told: an enumeration, a plain exception."""
    has_init = any(inspect.isfunction(vars(each).get("__init__")) for each in value.__mro__)
    return issubclass(value, enum.Enum) or not has_init


def _members(name: str, value: type) -> Iterator[tuple[str, object]]:
    seen: set[str] = set()
    for owner in value.__mro__:
        if owner.__module__.partition(".")[0] != "lineman":
            continue
        for member, found in vars(owner).items():
            if member not in seen and is_public(name, member):
                seen.add(member)
                yield member, found


def _member(name: str, member: str, found: Any) -> tuple[str, str, str]:
    """A member, its kind, and its entry."""
    title = f"{name}.{member}"
    if isinstance(found, Slot):
        arguments = ", ".join(found._arguments.get(member, ()))
        body = f"See [the reference](../{REFERENCE_OF[name]})."
        return member, "callback", _directive("method", f"{title}({arguments})", body)
    function = found.__func__ if isinstance(found, staticmethod | classmethod) else found
    if inspect.isfunction(function):
        body = docstrings.parse(inspect.getdoc(function) or "").markdown()
        options = [":async:"] if inspect.iscoroutinefunction(function) else []
        options += [":staticmethod:"] if isinstance(found, staticmethod) else []
        options += [":classmethod:"] if isinstance(found, classmethod) else []
        is_bound = not isinstance(found, staticmethod)
        text = _directive("method", title + signature(function, is_bound), body, *options)
        return member, "method", text
    if isinstance(found, property | functools.cached_property):
        getter = found.fget if isinstance(found, property) else found.func
        body = docstrings.parse(getter.__doc__ or "").markdown()
        kind = getter.__annotations__.get("return", "")
        options = [f":type: {kind}"] if isinstance(kind, str) and kind else []
        return member, "attribute", _directive("property", title, body, *options)
    value = repr(found.value) if isinstance(found, enum.Enum) else ""
    options = [f":value: {value}"] if value else []
    body = f"See [the reference](../{REFERENCE_OF[name]})." if name in REFERENCE_OF else ""
    return member, "attribute", _directive("attribute", title, body, *options)


def signature(function: Callable[..., Any], is_bound: bool = False) -> str:
    """Its arguments with their types and defaults, as they are written."""
    found = inspect.signature(function)
    given = list(found.parameters.values())[is_bound:]
    if len(given) > LONGEST_SIGNATURE:
        named = [each for each in given if each.kind is not each.KEYWORD_ONLY]
        named = [each for each in named if each.kind is not each.VAR_KEYWORD]
        texts = [_parameter(each) for each in named] + ["**options"]
    else:
        texts = []
        for each in given:
            if each.kind is each.KEYWORD_ONLY and "*" not in "".join(text[:1] for text in texts):
                texts.append("*")
            texts.append(_parameter(each))
    returns = found.return_annotation
    is_told = isinstance(returns, str) and returns != "None" and not inspect.isclass(function)
    return f"({', '.join(texts)})" + (f" -> {_type(returns)}" if is_told else "")


def _type(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return re.sub(r"\b[a-z_]+\.(?=[A-Z])", "", text.strip("'\""))


def _parameter(each: inspect.Parameter) -> str:
    stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
    text = stars + each.name
    if each.annotation is not each.empty and each.annotation != "Any":
        text += f": {_type(each.annotation)}"
    if each.default is not each.empty:
        written = repr(each.default)
        text += f" = {written}" if not written.startswith("<") else " = ..."
    return text
