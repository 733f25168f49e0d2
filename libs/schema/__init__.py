"""The public language of Fillstream: every domain event and shared value type. pydantic only, no I/O."""
