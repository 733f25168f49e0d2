"""What can be configured in every service? Read from `FILLSTREAM_*` variables; secrets are never printed."""

from __future__ import annotations

import ssl
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, PostgresDsn, SecretStr, TypeAdapter, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
Network = IPv4Network | IPv6Network
_dsn: TypeAdapter[PostgresDsn] = TypeAdapter(PostgresDsn)


class KafkaSettings(BaseModel):
    """How to reach the broker."""

    bootstrap: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_file: Path | None = None

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS context for SSL and SASL_SSL, None otherwise."""
        if "SSL" not in self.security_protocol.split("_"):
            return None
        return ssl.create_default_context(cafile=None if self.ssl_ca_file is None else str(self.ssl_ca_file))


class Settings(BaseSettings):
    """What every service reads. A context adds its own fields in its `settings.py`."""

    model_config = SettingsConfigDict(env_prefix="FILLSTREAM_", extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    """`postgresql://user:password@host:port/database`. The user must be able to take on the context's roles."""
    database_pool_size: Annotated[int, Field(ge=1, le=100)] = 8
    """Connections that a context's API may open, each when it is needed. Its consumer has 4 of its own at most."""
    kafka_bootstrap: str
    """`host:port[,host:port...]`."""
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_file: Path | None = None
    kafka_partitions: Annotated[int, Field(ge=1, le=1000)] = 4
    """Partitions of a topic when `migrate` creates it."""
    kafka_replication_factor: Annotated[int, Field(ge=1, le=5)] = 1
    kafka_prefix: str = ""
    """Put before every topic and consumer group, so that several installations share a broker."""
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    http_max_body_bytes: Annotated[int, Field(ge=1024)] = 65_536
    http_max_import_bytes: Annotated[int, Field(ge=1024)] = 2_000_000
    http_max_depth: Annotated[int, Field(ge=1)] = 32
    http_cors_origins: tuple[str, ...] = ()
    """Origins that browsers may call from; none unless named."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^/?#]+$")] = "http://127.0.0.1:8000"
    """Where clients reach the gateway; addresses that they are told begin with it. One for all services, as the issuer."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """`address[,network/bits...]`: who is believed when `X-Forwarded-For` says where a request comes from."""
    rate_limit_scale: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """How many times each rate limit's quota is let through: 1, unless a test sends what many people would."""
    token_issuer: str | None = None
    """What tokens say that they are from, where that is not `public_url`; then OAuth's clients refuse the metadata."""
    api_key_requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 1_200
    """How many requests of one API key's programs a context takes, at all of its replicas together."""
    access_token_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """How long access tokens live: auth issues none that live longer, and nobody takes one. Revocations are remembered as
    long, so all services are to be told alike."""
    token_audience: str = "fillstream"  # noqa: S105 a name, not a secret
    jwks_url: str = "http://127.0.0.1:8000/.well-known/jwks.json"
    """Where the public keys of auth are; tokens are checked locally with them."""
    encryption_key_url: str | None = None
    """Where the key is that wraps the data keys of workspaces: `file:///path/keyset.json`, for example."""
    encryption_other_key_url: str | None = None
    """Another key that opens what it wrapped, while an installation moves from one to the other."""
    encryption_vault_token: SecretStr | None = None
    """What Vault knows us by, where it holds that key and its URL names no `token_file`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    stall_seconds: Annotated[float, Field(gt=0)] = 30.0
    """A consumer with lag that makes no progress for so long is not ready; after four times that, the process ends."""
    event_retention_days: Annotated[int, Field(ge=1)] = 400
    """How long `event_log` and `inbox` keep their partitions; at least as long as the topics keep records."""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr) -> SecretStr:
        try:
            _dsn.validate_python(value.get_secret_value())
        except ValidationError:
            # Its text quotes the address, password and all.
            raise ValueError("should look like postgresql://user:password@host:port/database") from None
        return value

    @property
    def issuer(self) -> str:
        """Who issues tokens: the same in tokens (RFC 9068, section 2.2) and in metadata (RFC 8414, section 2)."""
        return self.token_issuer or self.public_url

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach the broker."""
        return KafkaSettings(
            bootstrap=self.kafka_bootstrap,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=self.kafka_sasl_password,
            ssl_ca_file=self.kafka_ssl_ca_file,
        )
