"""What is the rule? Users own workspaces, roles give scopes, a refresh token works once, keys sign in turn, acts are chained."""

from services.auth.model.audit import AuditChain, AuditEntry, SecurityAct
from services.auth.model.metadata import Base
from services.auth.model.roles import SCOPES_OF_ROLE, PlatformRole, Role
from services.auth.model.session import RefreshToken
from services.auth.model.signing_key import SigningKey, signing_at
from services.auth.model.user import User, email_key
from services.auth.model.workspace import Membership, Workspace

__all__ = [
    "SCOPES_OF_ROLE",
    "AuditChain",
    "AuditEntry",
    "Base",
    "Membership",
    "PlatformRole",
    "RefreshToken",
    "Role",
    "SecurityAct",
    "SigningKey",
    "User",
    "Workspace",
    "email_key",
    "signing_at",
]
