"""Auth: who is calling, for which workspace, and how can others tell?

Owns users, workspaces, memberships, sessions (refresh tokens), the keys that access tokens are signed with, and the
audit trail. Publishes UserRegistered, SecurityActed and AuditHeadPublished. Consumes SecurityActed.
"""
