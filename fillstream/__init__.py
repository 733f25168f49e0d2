"""The front door: the `fillstream` command, the embedded stack, and all services in one process."""
