"""Which benchmarks are there? Every module here; each has `async def measure(place: Stage) -> Sequence[Row]`."""
