"""How does the house log? One JSON object a line, with the tenant, correlation and trace ids that are bound."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_SECRET_WORDS = ("password", "token", "secret", "authorization", "api_key", "private_key")
# The secret of an API key, wherever somebody put it: what stands before the last underscore is its name.
_API_KEY = re.compile(r"(fsk_[A-Za-z0-9]{8}_)[\w-]+")


def _drop_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _without_secrets(name, value) for name, value in event.items()}


def _without_secrets(name: object, value: object) -> object:
    if any(word in str(name).lower() for word in _SECRET_WORDS):
        return "[redacted]"
    if isinstance(value, str):
        return _API_KEY.sub(r"\1[redacted]", value)
    if isinstance(value, Mapping):
        return {inner: _without_secrets(inner, content) for inner, content in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_without_secrets("", content) for content in value]
    return value


def configure_logging(level: str) -> None:
    """Send our records and those of the libraries to standard error, from `level` upwards."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _drop_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Without local variables: they hold passwords and tokens.
                structlog.processors.ExceptionRenderer(
                    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
                ),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("aiokafka", "uvicorn.access", "faststream", "alembic", "httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Give a module its logger; `name` is the module's `__name__`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
