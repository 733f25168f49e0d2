"""Auth: who is calling, for which workspace, and how can others tell? And who are they, beside that?

Owns users, workspaces, memberships, invitations, sessions and the keys that access tokens are signed with; API keys that
programs get theirs for; what is mailed to people to prove who they are, and their second factors; their profiles, KYC and
first steps; devices that wait for them; the grants that let support in; who brought whom; exports of what is held about
people, and their erasure; and the audit trail of every context.
Publishes what happens to people, workspaces and sessions (libs/schema/auth.py), SecurityActed and AuditHeadPublished, and
asks for mails. Consumes SecurityActed, EntitlementsChanged (the plan that a workspace is on is shown as its tier), and of
its own EmailVerified, PasswordResetRequested, ApiKeyCreated, SupportEntered and what ends somebody's access. Asks every context for what it
holds about somebody, and tells when somebody was erased; consumes what they answer (libs/schema/privacy.py).
"""
