"""What is the rule? Users own workspaces, roles give scopes, a refresh token works once, keys sign in turn.

A person has a profile, proves who they are, and is led through the first steps; billing says which tier a workspace has.
"""

from services.auth.model.kyc import Kyc
from services.auth.model.metadata import Base
from services.auth.model.onboarding import OnboardingProgress
from services.auth.model.profile import Profile
from services.auth.model.roles import SCOPES_OF_ROLE, PlatformRole, Role
from services.auth.model.session import RefreshToken
from services.auth.model.signing_key import SigningKey, signing_at
from services.auth.model.tier import Tier
from services.auth.model.user import User, email_key
from services.auth.model.username import is_reserved, username_key
from services.auth.model.workspace import Membership, Workspace

__all__ = [
    "SCOPES_OF_ROLE",
    "Base",
    "Kyc",
    "Membership",
    "OnboardingProgress",
    "PlatformRole",
    "Profile",
    "RefreshToken",
    "Role",
    "SigningKey",
    "Tier",
    "User",
    "Workspace",
    "email_key",
    "is_reserved",
    "signing_at",
    "username_key",
]
