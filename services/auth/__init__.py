"""Auth: who is calling, for which workspace, and how can others tell? And who are they, beside that?

Owns users, workspaces, memberships, sessions (refresh tokens) and the keys that access tokens are signed with; people's
profiles, their proofs of who they are, and how far they have come in the first steps. Publishes UserRegistered,
RiskSettingsChanged, KycSubmitted, KycVerified, KycRejected, KycExpired, KycWithdrawn and OnboardingCompleted. Consumes
EntitlementsChanged: the plan that a workspace is on is shown as its tier.
"""
