"""What is the rule? Users own workspaces, roles give scopes, a refresh token works once, keys sign in turn, acts are chained.

A person has a profile, proves who they are, and is led through the first steps; billing says which tier a workspace has.
"""

from services.auth.model.audit import AuditChain, AuditEntry, SecurityAct
from services.auth.model.data_export import DataExport, ExportAnswer, ExportPart, ExportState
from services.auth.model.device import DeviceAuthorization, DeviceState
from services.auth.model.erasure import Erasure, ErasureAnswer, ErasureState
from services.auth.model.kyc import Kyc
from services.auth.model.login import Login, LoginGuard
from services.auth.model.mailed_token import MailedToken
from services.auth.model.metadata import Base
from services.auth.model.method import Method
from services.auth.model.oauth import CLIENTS, GrantType, Refusal
from services.auth.model.onboarding import OnboardingProgress
from services.auth.model.profile import Profile
from services.auth.model.roles import MAY_GRANT, SCOPES_OF_ROLE, STAFF, PlatformRole, Role
from services.auth.model.session import RefreshToken, Session
from services.auth.model.signing_key import SigningKey, signing_at
from services.auth.model.tier import Tier
from services.auth.model.user import User, email_key
from services.auth.model.username import is_reserved, username_key
from services.auth.model.workspace import Membership, Workspace

__all__ = [
    "CLIENTS",
    "MAY_GRANT",
    "SCOPES_OF_ROLE",
    "STAFF",
    "AuditChain",
    "AuditEntry",
    "Base",
    "DataExport",
    "DeviceAuthorization",
    "DeviceState",
    "Erasure",
    "ErasureAnswer",
    "ErasureState",
    "ExportAnswer",
    "ExportPart",
    "ExportState",
    "GrantType",
    "Kyc",
    "Login",
    "LoginGuard",
    "MailedToken",
    "Membership",
    "Method",
    "OnboardingProgress",
    "PlatformRole",
    "Profile",
    "RefreshToken",
    "Refusal",
    "Role",
    "SecurityAct",
    "Session",
    "SigningKey",
    "Tier",
    "User",
    "Workspace",
    "email_key",
    "is_reserved",
    "signing_at",
    "username_key",
]
