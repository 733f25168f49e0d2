"""What can be configured in auth?"""

from __future__ import annotations

from datetime import timedelta
from os import cpu_count
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from libs.kit.rate_limits import RateLimit
from libs.kit.settings import Settings as KitSettings

Quota = Annotated[int, Field(ge=1, le=1_000_000)]


class Settings(KitSettings):
    """What every service reads, and how long tokens and keys live."""

    auth_refresh_token_seconds: Annotated[int, Field(ge=1)] = 30 * 86_400
    auth_session_days: Annotated[int, Field(ge=1)] = 90
    """How long one login lasts at most, however often it is refreshed."""
    auth_sessions_kept_days: Annotated[int, Field(ge=1)] = 30
    """How long a session that ended or ran out is kept, with its refresh tokens, for whoever looks into an incident."""
    auth_invitations_kept_days: Annotated[int, Field(ge=1)] = 30
    """How long an invitation that was answered, taken back or ran out is kept, with the address that it went to."""
    auth_forgetting_seconds: Annotated[float, Field(gt=0)] = 3_600.0
    """How often what is over is forgotten: such sessions and invitations, devices, mailed tokens, failures that count no more."""
    auth_key_overlap_seconds: Annotated[int, Field(ge=0)] = 3_600
    """How long a signing key can still be checked with after another one has taken its place."""
    auth_key_lead_seconds: Annotated[int, Field(ge=0)] = 10
    """How long a new key is public before it signs, so that no service meets a token of a key it does not know."""
    auth_hashing_processes: Annotated[int, Field(ge=1, le=64)] = max((cpu_count() or 1) - 1, 1)
    """Passwords that are hashed at the same time. One core is left: where all of them hash, everybody else's slowest answers
    take twice as long."""
    auth_argon2_memory_kib: Annotated[int, Field(ge=19_456, le=262_144)] = 65_536
    """What each of them takes meanwhile. With the passes, what RFC 9106, section 4, recommends where memory is dear: all that a
    login takes besides is little compared to that, so whoever guesses pays nearly as much as we do."""
    auth_argon2_passes: Annotated[int, Field(ge=2, le=16)] = 3
    """How often it goes over that memory."""
    auth_hashing_queue: Annotated[int, Field(ge=1)] = 200
    """Passwords that wait for a process; whoever comes when so many do is told to come again."""
    auth_account_failures: Annotated[int, Field(ge=1)] = 10
    """Failed logins after which an account is locked; the waits before grow from one second on."""
    auth_address_failures: Annotated[int, Field(ge=1)] = 100
    """Failed logins from one address, for whatever accounts, after which nothing from there is tried."""
    auth_lock_seconds: Annotated[int, Field(ge=1)] = 900
    """How long such a lock lasts, and how long a failure is remembered."""
    auth_audit_head_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How often the heads of audit trails that grew are signed and told: what is cut off before that may go unnoticed."""
    auth_kyc_valid_days: Annotated[int, Field(ge=1, le=3_650)] = 730
    """How long a verification of who somebody is holds."""
    auth_kyc_expiry_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How often it is looked for verifications that are over."""
    auth_support_days: Annotated[int, Field(ge=1, le=7)] = 7
    """How long an owner may let support in at most."""
    auth_verification_hours: Annotated[int, Field(ge=1)] = 48
    auth_reset_minutes: Annotated[int, Field(ge=1)] = 30
    auth_invitation_days: Annotated[int, Field(ge=1, le=365)] = 7
    auth_workspaces_per_person: Quota = 20
    """That one person may own, their personal one included."""
    auth_pending_invitations: Quota = 50
    """That a workspace may wait for an answer to."""
    auth_export_days: Annotated[int, Field(ge=1, le=90)] = 7
    """How long an export of what is held about a person can be downloaded, and how long its answers are waited for."""
    auth_erasure_days: Annotated[int, Field(ge=1, le=365)] = 30
    """How long somebody who wants to be erased may think again."""
    auth_erasure_closing_seconds: Annotated[int, Field(ge=1)] = 3_600
    """Between shutting somebody out and erasing them: tokens end, mails go out, events that are under way arrive."""
    auth_privacy_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How often it is looked for exports and erasures that can go on."""
    mail_token_secret: Annotated[SecretStr, Field(min_length=32)]
    """What secrets in mails are derived from; notifications has the same. Random, at least 32 characters."""

    auth_registrations_per_hour: Quota = 120
    """From one address; of IPv6, from one /64."""
    auth_logins_per_minute: Quota = 120
    """From one address, for whatever account."""
    auth_account_logins_per_hour: Quota = 60
    """That fail for one account, from whatever address."""
    auth_refreshes_per_minute: Quota = 600
    """From one address."""

    auth_mails_per_hour: Quota = 10
    """That one person may ask for."""
    auth_address_mails_per_hour: Quota = 5
    """Mails of one kind that go to one address, whoever causes them: somebody who forgot a password, failed logins, invitations."""
    auth_invitations_per_hour: Quota = 30
    """That one person may send, to whatever workspaces."""
    auth_exports_per_day: Quota = 5
    """That one person may ask for."""
    auth_certificates_per_hour: Quota = 60
    """Certificates of erasures that may be asked for from one address."""
    auth_device_requests_per_hour: Quota = 60
    """From one address."""
    auth_user_codes_per_hour: Quota = 60
    """Codes of devices that may be tried from one address, right or wrong: there are 20^8."""
    auth_account_user_codes_per_hour: Quota = 30
    """The same for one person."""
    auth_device_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """How long a device waits to be approved."""
    auth_device_poll_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """How long a device waits between two polls."""
    auth_passkey_rp_id: str = "localhost"
    """The domain that passkeys are for: that of the pages which ask for them, or one above it. Changing it loses them."""
    auth_passkey_origins: tuple[str, ...] = ("http://localhost:8000",)
    """Origins of pages that may ask for passkeys: https, and of that domain."""
    auth_display_name: Annotated[str, Field(min_length=1, max_length=60)] = "Fillstream"
    """What authenticators call this installation."""
    auth_verification_url: Annotated[str, Field(pattern=r"^https?://[^?#]+$")] | None = None
    """The page where a person types a device's code; unless named, the API that such a page would ask."""

    auth_api_key_days: Annotated[int, Field(ge=1, le=366)] = 366
    """How far away the end of an API key may be: a year, which may be a leap year."""
    auth_api_keys_per_person: Annotated[int, Field(ge=1, le=1_000)] = 50
    """That one person may have in one workspace."""
    auth_api_key_changes_per_hour: Quota = 60
    """That one person may make: keys made, rotated and revoked."""
    auth_api_key_tokens_per_minute: Quota = 60
    """That one key may be exchanged for."""
    auth_api_key_refusals_per_hour: Quota = 30
    """That are told for one key, whoever tries it; its own programs are not slowed down by those of others."""
    auth_api_key_refusals_per_address_hour: Quota = 100
    """That are told to one address, for whatever key."""

    @property
    def mails_to_an_address(self) -> RateLimit:
        """How often anybody can have an address written to, for each kind of mail."""
        return self._limit("mail-address", self.auth_address_mails_per_hour, timedelta(hours=1))

    @property
    def limits(self) -> tuple[RateLimit, ...]:
        """The policies that routes name."""
        minute, hour = timedelta(minutes=1), timedelta(hours=1)
        return (
            self._limit("register", self.auth_registrations_per_hour, hour),
            self._limit("login", self.auth_logins_per_minute, minute),
            self._limit("login-account", self.auth_account_logins_per_hour, hour),
            self._limit("refresh", self.auth_refreshes_per_minute, minute),
            self._limit("mail", self.auth_mails_per_hour, hour),
            self._limit("invitation", self.auth_invitations_per_hour, hour),
            self._limit("export", self.auth_exports_per_day, timedelta(days=1)),
            self._limit("certificate", self.auth_certificates_per_hour, hour),
            self._limit("device", self.auth_device_requests_per_hour, hour),
            self._limit("user-code", self.auth_user_codes_per_hour, hour),
            self._limit("user-code-account", self.auth_account_user_codes_per_hour, hour),
            self._limit("api-key-changes", self.auth_api_key_changes_per_hour, hour),
            self._limit("api-key-tokens", self.auth_api_key_tokens_per_minute, minute),
            self._limit("api-key-refusals", self.auth_api_key_refusals_per_hour, hour),
            self._limit("api-key-refusals-address", self.auth_api_key_refusals_per_address_hour, hour),
        )

    def _limit(self, name: str, quota: int, window: timedelta) -> RateLimit:
        return RateLimit(name, quota * self.rate_limit_scale, window)

    @model_validator(mode="after")
    def _keys_outlive_tokens(self) -> Self:
        if self.auth_key_overlap_seconds < self.access_token_seconds:
            raise ValueError("auth_key_overlap_seconds must be at least access_token_seconds")
        if self.auth_erasure_closing_seconds < self.access_token_seconds:
            raise ValueError("auth_erasure_closing_seconds must be at least access_token_seconds")
        return self
