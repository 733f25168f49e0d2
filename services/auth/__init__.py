"""Auth: who is calling, for which workspace, and how can others tell? And who are they, beside that?

Owns users, workspaces, memberships, sessions and the keys that access tokens are signed with; what is mailed to people to
prove who they are; their profiles, KYC and first steps; devices that wait for them; the grants that let
support in; who brought whom; and the audit trail of every context.
Publishes what happens to people and their sessions (libs/schema/auth.py), SecurityActed and AuditHeadPublished, and asks
for mails. Consumes SecurityActed, its own PasswordResetRequested, SupportEntered, RoleChanged,
UserDeactivated and UserDeleted, and EntitlementsChanged: the plan that a workspace is on
is shown as its tier.
"""
