"""The requirements of builds and development are pinned with hashes and fit `pyproject.toml`."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lineman.base.version import VERSION

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]


def pins(group: str) -> dict[str, list[Version]]:
    """The versions that a file of requirements/ names, by project."""
    found: dict[str, list[Version]] = {}
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    for name, pinned in re.findall(r"^([A-Za-z0-9._-]+)==([^ \\;]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(Version(pinned))
    return found


@pytest.mark.parametrize("group", ["build", "release", "dev"])
def test_every_requirement_is_pinned_to_a_version_that_it_allows(group: str) -> None:
    wanted = list(GROUPS[group])
    if group == "dev":
        wanted += PROJECT["project"]["dependencies"]
    pinned = pins(group)
    for requirement in map(Requirement, wanted):
        versions = pinned[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(each) for each in versions), requirement


@pytest.mark.parametrize("group", ["build", "release", "dev"])
def test_every_pin_has_a_hash(group: str) -> None:
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text.replace(" \\\n", " "))
    blocks = [block for block in blocks if "==" in block and not block.startswith("#")]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_group_for_building_is_what_pip_builds_with() -> None:
    assert GROUPS["build"] == PROJECT["build-system"]["requires"]


def test_the_version_stands_in_one_place() -> None:
    assert "version" not in PROJECT["project"]
    assert version("lineman") == VERSION


def test_no_redis_is_allowed_that_does_not_look_whose_certificate_it_is() -> None:
    # redis-py 6.0.0 is the first whose `ssl_check_hostname` is on by default.
    extra = [*PROJECT["project"]["optional-dependencies"]["redis"], *GROUPS["dev"]]
    wanted = [each for each in map(Requirement, extra) if each.name == "redis"]
    assert len(wanted) == 2
    assert not any(each.specifier.contains(Version("5.3.1")) for each in wanted)
