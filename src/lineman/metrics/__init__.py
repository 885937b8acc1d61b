"""The state of a service for Prometheus and for health checks."""
