"""The gateway in front of all services: Envoy, configured from the paths that they serve."""
