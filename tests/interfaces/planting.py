"""Which settings are secret? Told by their types in every context's Settings; each gets a value that can be recognised."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

from pydantic import Secret, SecretBytes, SecretStr

from fillstream.contexts import load_all

_SECRET_TYPES = (Secret, SecretStr, SecretBytes)


def is_secret(annotation: object) -> bool:
    """Whether a value of this type hides itself."""
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, _SECRET_TYPES):
        return True
    return any(is_secret(part) for part in get_args(annotation))


def planted_settings() -> dict[str, str]:
    """A fresh random value for every secret setting, by its name."""
    return {
        name: secrets.token_urlsafe(36)
        for context in load_all()
        for name, field in context.settings.model_fields.items()
        if is_secret(field.annotation)
    }


def variables(planted: Mapping[str, str], database_url: str, user: str) -> dict[str, str]:
    """The values as variables of a process, the database's as the password of a user in its address."""
    parts = urlsplit(database_url)
    address = f"{user}:{planted['database_url']}@{parts.hostname}:{parts.port}"
    # Nobody listens there: mails wait, and the password is in every complaint that is not careful.
    mail_url = f"smtp://mailer:{planted['notifications_mail_url']}@127.0.0.1:9?plain"
    values = {
        **planted,
        "database_url": urlunsplit(parts._replace(netloc=address)),
        "notifications_mail_url": mail_url,
    }
    return {f"FILLSTREAM_{name.upper()}": value for name, value in values.items()}
