"""Some brokers are tried below a whole gateway."""

from gateway.conftest import system as system
