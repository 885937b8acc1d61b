"""A worker and a gateway take the same options of an application."""

from __future__ import annotations

from dataclasses import fields

import pytest

from lineman.config.app_fields import AppFields
from lineman.config.options import WorkerOptions
from lineman.gateway.gateway_options import GatewayOptions


@pytest.mark.parametrize("options", [WorkerOptions, GatewayOptions])
def test_they_are_options_with_the_same_defaults(options: type) -> None:
    of_app = {each.name: each.default for each in fields(AppFields)}
    found = {each.name: each.default for each in fields(options)}
    assert of_app.items() <= found.items()
    assert of_app == {"app": None, "root_path": "", "lifespan": "auto"}
