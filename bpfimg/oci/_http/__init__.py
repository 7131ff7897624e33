"""Registries over HTTP: connections, deadlines, retries, the requests of the distribution specification."""
