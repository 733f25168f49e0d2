"""Auth: who is calling, for which workspace, and how can others tell?

Owns users, workspaces, memberships, sessions (refresh tokens) and the keys that access tokens are signed with.
Publishes UserRegistered. Consumes nothing.
"""
