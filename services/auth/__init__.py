"""Auth: who is calling, for which workspace, and how can others tell? And who are they, beside that?

Owns users, workspaces, memberships, sessions and the keys that access tokens are signed with; what is mailed to people to
prove who they are; their profiles, KYC and first steps; devices that wait for them; exports of what is held about them, and
their erasure; and the audit trail of every context.
Publishes what happens to people and their sessions (libs/schema/auth.py), SecurityActed and AuditHeadPublished, and asks
for mails. Consumes SecurityActed, its own PasswordResetRequested, and EntitlementsChanged: the plan that a workspace is on
is shown as its tier. Asks every context for what it holds about somebody, and tells when somebody was erased; consumes what
they answer (libs/schema/privacy.py).
"""
