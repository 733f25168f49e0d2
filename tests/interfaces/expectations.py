"""What is expected of every route? Who gets in, with what, and what a stranger with a valid token of their own sees.

A served route that is not in the table, and one in the table that nobody serves, fails the tests by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from fillstream.contexts import names
from tests.interfaces import auth_calls, calls
from tests.interfaces.calls import Maker

GATEWAY = "gateway"
EVERYWHERE = (*names(), GATEWAY)
"""Every context, and the gateway before them."""


class Foreign(Enum):
    """What a call that means one workspace's things gets when it comes with another workspace's token."""

    HIDDEN = "404, as if there were no such thing"
    EMPTY = "a list without items"
    OWN = "what is the caller's own, and nothing of the other workspace"
    SHARED = "what belongs to everybody"
    NAMED = "what is the caller's own; the path names no thing of anybody's, but a word that the answer has, too"
    SPENT = "422, as a mailed token that does not work"
    STAFF = "what the installation's staff may see of everybody, and decide"


@dataclass(frozen=True, slots=True)
class Public:
    """Open to everybody; a token that comes along is not looked at."""

    make: Maker


@dataclass(frozen=True, slots=True)
class Operational:
    """For operators: answered to everybody on the network of the processes."""

    at: tuple[str, ...] = EVERYWHERE
    make: Maker = calls.nothing


@dataclass(frozen=True, slots=True)
class Scoped:
    """For a token with the scope; None stands for any valid token."""

    scope: str | None
    foreign: Foreign
    make: Maker = calls.nothing
    refused: tuple[int, str] | None = None
    """What even whoever may do it is told, because nobody can do it to a personal workspace."""


Expectation = Public | Operational | Scoped

EXPECTATIONS: Mapping[str, Expectation] = {
    # Of every process.
    "GET /healthz": Operational(),
    "GET /readyz": Operational(),
    "GET /metrics": Operational(),
    "GET /openapi.json": Operational(),
    # The gateway's own.
    "GET /docs": Operational((GATEWAY,)),
    "GET /docs/start.js": Operational((GATEWAY,)),
    "GET /docs/swagger-ui-bundle.js": Operational((GATEWAY,)),
    "GET /docs/swagger-ui.css": Operational((GATEWAY,)),
    "GET /docs/favicon-32x32.png": Operational((GATEWAY,)),
    # auth
    "POST /v1/auth/register": Public(auth_calls.a_registration),
    "POST /v1/auth/login": Public(auth_calls.a_login),
    "POST /v1/auth/refresh": Public(auth_calls.a_refresh_token),
    "POST /v1/auth/logout": Public(auth_calls.a_refresh_token),
    "GET /.well-known/jwks.json": Public(calls.nothing),
    "GET /.well-known/audit-keys.json": Public(calls.nothing),
    "POST /v1/auth/email-verification": Public(auth_calls.a_mailed_proof),
    "POST /v1/auth/unlock": Public(auth_calls.a_mailed_key),
    "POST /v1/auth/password-reset": Public(auth_calls.a_forgotten_password),
    "PUT /v1/auth/password-reset": Public(auth_calls.a_mailed_reset),
    "GET /.well-known/oauth-authorization-server": Public(calls.nothing),
    "POST /v1/auth/device": Public(auth_calls.a_device),
    "POST /v1/auth/token": Public(auth_calls.a_refresh_grant),
    "POST /v1/auth/revoke": Public(auth_calls.a_token_to_revoke),
    "GET /v1/auth/device/approval": Scoped("devices:approve", Foreign.OWN, auth_calls.a_code_to_look_at),
    "POST /v1/auth/device/approval": Scoped("devices:approve", Foreign.OWN, auth_calls.a_code_to_approve),
    "POST /v1/auth/second-factor": Public(auth_calls.a_second_factor),
    "POST /v1/auth/passkeys/options": Public(auth_calls.nobodys_login),
    "POST /v1/auth/passkeys": Public(auth_calls.a_passkeys_answer),
    "POST /v1/auth/step-up": Public(auth_calls.a_proof),
    "POST /v1/auth/step-up/options": Scoped(None, Foreign.OWN),
    "GET /v1/me/second-factor": Scoped(None, Foreign.OWN),
    # Before a stranger begins one of their own.
    "POST /v1/me/totp/confirm": Scoped(None, Foreign.HIDDEN, auth_calls.an_offered_app),
    "POST /v1/me/totp": Scoped(None, Foreign.OWN),
    "DELETE /v1/me/totp": Scoped(None, Foreign.HIDDEN, auth_calls.an_app),
    "POST /v1/me/recovery-codes": Scoped(None, Foreign.HIDDEN, auth_calls.an_app),
    "POST /v1/me/passkey-options": Scoped(None, Foreign.OWN),
    "POST /v1/me/passkeys": Scoped(None, Foreign.HIDDEN, auth_calls.a_new_passkey),
    "GET /v1/me/passkeys": Scoped(None, Foreign.OWN),
    "PATCH /v1/me/passkeys/{passkey_id}": Scoped(None, Foreign.HIDDEN, auth_calls.a_passkey_to_rename),
    "DELETE /v1/me/passkeys/{passkey_id}": Scoped(None, Foreign.HIDDEN, auth_calls.a_passkey),
    "GET /v1/me": Scoped(None, Foreign.OWN),
    "PATCH /v1/me": Scoped(None, Foreign.OWN, auth_calls.something_to_say),
    "PUT /v1/me/password": Scoped(None, Foreign.OWN, auth_calls.a_password_to_change),
    "POST /v1/me/email-verification": Scoped(None, Foreign.OWN),
    "GET /v1/me/logins": Scoped(None, Foreign.OWN),
    "GET /v1/sessions": Scoped(None, Foreign.OWN),
    "DELETE /v1/sessions": Scoped(None, Foreign.OWN),
    "DELETE /v1/sessions/{session_id}": Scoped(None, Foreign.HIDDEN, auth_calls.a_session),
    "POST /v1/auth/switch": Public(auth_calls.a_switch),
    "GET /v1/workspaces": Scoped(None, Foreign.OWN),
    "POST /v1/workspaces": Scoped(None, Foreign.OWN, auth_calls.a_new_workspace),
    "GET /v1/workspaces/{workspace_id}": Scoped("members:read", Foreign.HIDDEN, auth_calls.a_workspace),
    "PATCH /v1/workspaces/{workspace_id}": Scoped("workspace:write", Foreign.HIDDEN, auth_calls.a_workspace_to_rename),
    "POST /v1/workspaces/{workspace_id}/transfer": Scoped(
        "workspace:write", Foreign.HIDDEN, auth_calls.an_heir, refused=(409, "personal-workspace")
    ),
    "GET /v1/workspaces/{workspace_id}/members": Scoped("members:read", Foreign.HIDDEN, auth_calls.a_workspace),
    "PUT /v1/workspaces/{workspace_id}/members/{user_id}/role": Scoped(
        "members:write", Foreign.HIDDEN, auth_calls.a_member_to_change
    ),
    "DELETE /v1/workspaces/{workspace_id}/members/{user_id}": Scoped(
        "members:write", Foreign.HIDDEN, auth_calls.a_member
    ),
    "POST /v1/workspaces/{workspace_id}/invitations": Scoped(
        "members:write", Foreign.HIDDEN, auth_calls.somebody_to_invite
    ),
    "GET /v1/workspaces/{workspace_id}/invitations": Scoped("members:write", Foreign.HIDDEN, auth_calls.a_workspace),
    "DELETE /v1/workspaces/{workspace_id}/invitations/{invitation_id}": Scoped(
        "members:write", Foreign.HIDDEN, auth_calls.an_invitation_to_revoke
    ),
    "GET /v1/invitations": Scoped(None, Foreign.OWN),
    "POST /v1/invitations/accept": Scoped(None, Foreign.SPENT, auth_calls.an_invitation_to_accept),
    "POST /v1/invitations/{invitation_id}/decline": Scoped(None, Foreign.HIDDEN, auth_calls.an_invitation_to_decline),
    "POST /v1/api-keys": Scoped("api-keys:write", Foreign.OWN, auth_calls.a_new_key),
    "GET /v1/api-keys": Scoped("api-keys:read", Foreign.EMPTY, auth_calls.nothing_but_a_key),
    "GET /v1/api-keys/{key_id}": Scoped("api-keys:read", Foreign.HIDDEN, auth_calls.a_key),
    "PATCH /v1/api-keys/{key_id}": Scoped("api-keys:write", Foreign.HIDDEN, auth_calls.a_key_to_rename),
    "POST /v1/api-keys/{key_id}/rotate": Scoped("api-keys:write", Foreign.HIDDEN, auth_calls.a_key_to_rotate),
    "DELETE /v1/api-keys/{key_id}": Scoped("api-keys:write", Foreign.HIDDEN, auth_calls.a_key),
    "GET /v1/audit": Scoped("audit:read", Foreign.OWN),
    "POST /v1/support-grants": Scoped("support:grant", Foreign.OWN, auth_calls.a_new_support_grant),
    "GET /v1/support-grants": Scoped("support:grant", Foreign.EMPTY, auth_calls.of_a_support_grant),
    "DELETE /v1/support-grants/{grant_id}": Scoped("support:grant", Foreign.HIDDEN, auth_calls.a_support_grant),
    "GET /v1/support/workspaces": Scoped("support:act", Foreign.EMPTY, auth_calls.of_an_open_workspace),
    "POST /v1/support/workspaces/{workspace_id}/tokens": Scoped(
        "support:act", Foreign.HIDDEN, auth_calls.an_open_workspace
    ),
    "POST /v1/referral-codes": Scoped("referrals:write", Foreign.OWN),
    "GET /v1/referral-codes": Scoped("referrals:write", Foreign.EMPTY, auth_calls.of_a_referral_code),
    "DELETE /v1/referral-codes/{code_id}": Scoped("referrals:write", Foreign.HIDDEN, auth_calls.a_referral_code),
    "GET /v1/customers": Scoped("customers:read", Foreign.OWN),
    "GET /v1/profile": Scoped(None, Foreign.OWN),
    "PATCH /v1/profile": Scoped(None, Foreign.OWN, auth_calls.a_change_of_profile),
    "GET /v1/kyc": Scoped(None, Foreign.OWN),
    "POST /v1/kyc/submission": Scoped(None, Foreign.OWN, auth_calls.a_submission),
    "GET /v1/users/{user_id}/kyc": Scoped("kyc:decide", Foreign.STAFF, auth_calls.an_applicant),
    "POST /v1/users/{user_id}/kyc/decision": Scoped("kyc:decide", Foreign.STAFF, auth_calls.a_decision),
    "GET /v1/users": Scoped("users:read", Foreign.STAFF, auth_calls.an_account_to_find),
    "GET /v1/users/{user_id}": Scoped("users:read", Foreign.STAFF, auth_calls.somebody),
    "POST /v1/users/{user_id}/lock": Scoped("users:lock", Foreign.STAFF, auth_calls.somebody_to_lock),
    "POST /v1/users/{user_id}/unlock": Scoped("users:lock", Foreign.STAFF, auth_calls.somebody),
    "POST /v1/users/{user_id}/deactivate": Scoped("users:write", Foreign.STAFF, auth_calls.somebody),
    "POST /v1/users/{user_id}/reactivate": Scoped("users:write", Foreign.STAFF, auth_calls.somebody),
    "DELETE /v1/users/{user_id}": Scoped("users:write", Foreign.STAFF, auth_calls.somebody),
    "POST /v1/users/{user_id}/restore": Scoped("users:write", Foreign.STAFF, auth_calls.somebody),
    "DELETE /v1/users/{user_id}/second-factors": Scoped("users:write", Foreign.STAFF, auth_calls.somebody),
    "PUT /v1/users/{user_id}/role": Scoped("roles:write", Foreign.STAFF, auth_calls.somebody_to_raise),
    "GET /v1/onboarding": Scoped(None, Foreign.OWN),
    "POST /v1/onboarding/steps/{step}/complete": Scoped(None, Foreign.NAMED, auth_calls.a_step_to_complete),
    "POST /v1/onboarding/steps/{step}/skip": Scoped(None, Foreign.NAMED, auth_calls.a_step_to_skip),
    "POST /v1/me/exports": Scoped(None, Foreign.OWN),
    "GET /v1/me/exports": Scoped(None, Foreign.OWN, auth_calls.after_an_export),
    "GET /v1/me/exports/{export_id}/archive": Scoped(None, Foreign.HIDDEN, auth_calls.an_export),
    "POST /v1/me/erasure": Scoped(None, Foreign.OWN, auth_calls.a_shared_home, refused=(409, "workspace-shared")),
    "GET /v1/me/erasure": Scoped(None, Foreign.OWN),
    "DELETE /v1/me/erasure": Scoped(None, Foreign.OWN),
    "POST /v1/auth/erasure-certificate": Public(auth_calls.a_certificate_to_have),
    # billing
    "GET /v1/plans": Scoped("billing:read", Foreign.SHARED),
    "GET /v1/subscription": Scoped("billing:read", Foreign.OWN),
    "GET /v1/entitlements": Scoped("billing:read", Foreign.OWN),
    # marketdata
    "POST /v1/instruments": Scoped("marketdata:write", Foreign.SHARED, calls.an_unlisted_instrument),
    "GET /v1/instruments": Scoped("marketdata:read", Foreign.SHARED),
    "GET /v1/instruments/{symbol}": Scoped("marketdata:read", Foreign.SHARED, calls.a_listed_instrument),
    "POST /v1/bars": Scoped("marketdata:write", Foreign.SHARED, calls.a_new_bar),
    "POST /v1/bars/corrections": Scoped("marketdata:write", Foreign.SHARED, calls.a_corrected_bar),
    "GET /v1/bars": Scoped("marketdata:read", Foreign.SHARED, calls.bars_of_a_listed_instrument),
    # notifications
    "GET /v1/notifications": Scoped("notifications:read", Foreign.OWN),
    "GET /v1/notifications/unread-count": Scoped("notifications:read", Foreign.OWN),
    "GET /v1/notifications/stream": Scoped("notifications:read", Foreign.OWN, calls.all_that_was_told),
    "POST /v1/notifications/read-all": Scoped("notifications:write", Foreign.OWN),
    "POST /v1/notifications/{notification_id}/read": Scoped(
        "notifications:write", Foreign.HIDDEN, calls.a_notification
    ),
    # orders
    "POST /v1/accounts": Scoped("accounts:write", Foreign.OWN, calls.a_new_account),
    "GET /v1/accounts": Scoped("accounts:read", Foreign.EMPTY),
    "GET /v1/accounts/{account_id}": Scoped("accounts:read", Foreign.HIDDEN, calls.an_account),
    "PATCH /v1/accounts/{account_id}": Scoped("accounts:write", Foreign.HIDDEN, calls.an_account_to_rename),
    "POST /v1/orders": Scoped("orders:write", Foreign.HIDDEN, calls.a_new_order),
    "GET /v1/orders": Scoped("orders:read", Foreign.EMPTY, calls.of_an_account),
    "GET /v1/orders/{order_id}": Scoped("orders:read", Foreign.HIDDEN, calls.an_open_order),
    "POST /v1/orders/{order_id}/cancel": Scoped("orders:write", Foreign.HIDDEN, calls.an_open_order),
    "GET /v1/fills": Scoped("orders:read", Foreign.EMPTY, calls.fills_of_an_order),
    # portfolio
    "GET /v1/positions": Scoped("portfolio:read", Foreign.HIDDEN, calls.of_an_account),
    "GET /v1/positions/{symbol}": Scoped("portfolio:read", Foreign.HIDDEN, calls.a_position),
    "GET /v1/portfolio": Scoped("portfolio:read", Foreign.HIDDEN, calls.of_an_account),
    "GET /v1/portfolio/history": Scoped("portfolio:read", Foreign.HIDDEN, calls.of_an_account),
    "GET /v1/portfolio/performance": Scoped("portfolio:read", Foreign.HIDDEN, calls.of_an_account),
    "GET /v1/ledger": Scoped("portfolio:read", Foreign.HIDDEN, calls.of_an_account),
    # signals
    "POST /v1/strategies": Scoped("strategies:write", Foreign.OWN, calls.a_new_strategy),
    "GET /v1/strategies": Scoped("strategies:read", Foreign.EMPTY),
    "GET /v1/strategies/{strategy_id}": Scoped("strategies:read", Foreign.HIDDEN, calls.a_strategy),
    "POST /v1/strategies/{strategy_id}/pause": Scoped("strategies:write", Foreign.HIDDEN, calls.a_strategy),
    "POST /v1/strategies/{strategy_id}/resume": Scoped("strategies:write", Foreign.HIDDEN, calls.a_paused_strategy),
    "DELETE /v1/strategies/{strategy_id}": Scoped("strategies:write", Foreign.HIDDEN, calls.a_strategy),
    "GET /v1/signals": Scoped("signals:read", Foreign.EMPTY, calls.signals_of_a_strategy),
    "POST /v1/backtests": Scoped("strategies:write", Foreign.OWN, calls.a_new_backtest),
    "GET /v1/backtests/{backtest_id}": Scoped("strategies:read", Foreign.HIDDEN, calls.a_backtest),
}

_VIEWER = frozenset({
    "marketdata:read", "strategies:read", "signals:read", "orders:read", "accounts:read", "portfolio:read",
    "billing:read", "notifications:read", "devices:approve", "members:read",
    "api-keys:read", "api-keys:write",
})  # fmt: skip
_ANALYST = _VIEWER | {"strategies:write", "notifications:write"}
_TRADER = _ANALYST | {"orders:write", "accounts:write"}
_SEES_PEOPLE = frozenset({"users:read"})
_LOCKS_PEOPLE = _SEES_PEOPLE | {"users:lock"}
_ADMIN = _LOCKS_PEOPLE | {"marketdata:write", "kyc:decide", "users:write", "roles:write", "support:act"}
_BRINGER = frozenset({"referrals:write", "customers:read"})

ROLES: Mapping[str, frozenset[str]] = {
    "VIEWER": _VIEWER,
    "ANALYST": _ANALYST,
    "TRADER": _TRADER,
    "OWNER": _TRADER | {"billing:write", "audit:read", "members:write", "workspace:write", "support:grant"},
    "USER": frozenset(),
    "MODERATOR": _LOCKS_PEOPLE,
    "SALES": _SEES_PEOPLE | _BRINGER,
    "SUPPORT": _LOCKS_PEOPLE | {"support:act"},
    "RESELLER": _BRINGER,
    "ADMIN": _ADMIN,
    "SUPER_ADMIN": _ADMIN,
}
"""What each role allows, whether it is one in a workspace or in the whole installation."""

SCHEMES = frozenset({"http bearer"})
"""How a caller can prove who they are, in the words of the OpenAPI document. Programs exchange their keys for tokens."""
