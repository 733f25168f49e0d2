"""What is the rule? Users own workspaces, roles give scopes, a refresh token works once, keys sign in turn, acts are chained.

A workspace has one owner and invites others. A person has a profile, proves who they are, and is led through the first steps; billing says which tier a workspace has.
"""

from services.auth.model.account_state import AccountState
from services.auth.model.api_key import ApiKey
from services.auth.model.audit import AuditChain, AuditEntry, SecurityAct
from services.auth.model.challenge import Ask, LoginChallenge
from services.auth.model.data_export import DataExport, ExportAnswer, ExportPart, ExportState
from services.auth.model.device import DeviceAuthorization, DeviceState
from services.auth.model.erasure import Erasure, ErasureAnswer, ErasureState
from services.auth.model.imported import ImportedPerson
from services.auth.model.invitation import Invitation, InvitationState, Unacceptable
from services.auth.model.kyc import Kyc
from services.auth.model.login import Login, LoginGuard
from services.auth.model.mailed_token import MailedToken
from services.auth.model.metadata import Base
from services.auth.model.method import Method
from services.auth.model.oauth import CLIENTS, GrantType, Refusal
from services.auth.model.onboarding import OnboardingProgress
from services.auth.model.passkey import Passkey
from services.auth.model.profile import Profile
from services.auth.model.referral_code import ReferralCode, new_referral_code, referral_code_key
from services.auth.model.roles import (
    BRINGERS,
    HELPERS,
    MAY_GRANT,
    PROGRAM_SCOPES,
    SCOPES_OF_ROLE,
    STAFF,
    PlatformRole,
    Role,
)
from services.auth.model.second_factor import Factor, KeptRecoveryCode, Totp
from services.auth.model.session import RefreshToken, Session
from services.auth.model.signing_key import SigningKey, signing_at
from services.auth.model.support_grant import SCOPES_OF_ACCESS, SupportAccess, SupportGrant
from services.auth.model.tier import Tier
from services.auth.model.user import User, email_key
from services.auth.model.username import is_reserved, username_key
from services.auth.model.workspace import Membership, Workspace

__all__ = [
    "BRINGERS",
    "CLIENTS",
    "HELPERS",
    "MAY_GRANT",
    "PROGRAM_SCOPES",
    "SCOPES_OF_ACCESS",
    "SCOPES_OF_ROLE",
    "STAFF",
    "AccountState",
    "ApiKey",
    "Ask",
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
    "Factor",
    "GrantType",
    "ImportedPerson",
    "Invitation",
    "InvitationState",
    "KeptRecoveryCode",
    "Kyc",
    "Login",
    "LoginChallenge",
    "LoginGuard",
    "MailedToken",
    "Membership",
    "Method",
    "OnboardingProgress",
    "Passkey",
    "PlatformRole",
    "Profile",
    "ReferralCode",
    "RefreshToken",
    "Refusal",
    "Role",
    "SecurityAct",
    "Session",
    "SigningKey",
    "SupportAccess",
    "SupportGrant",
    "Tier",
    "Totp",
    "Unacceptable",
    "User",
    "Workspace",
    "email_key",
    "is_reserved",
    "new_referral_code",
    "referral_code_key",
    "signing_at",
    "username_key",
]
