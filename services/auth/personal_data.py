"""What does this context hold about people? Nearly all that there is; what stays is the audit trail, and that they went."""

from __future__ import annotations

from libs.kit.personal_data.holdings import (
    ACCOUNTABILITY,
    LEGAL_CLAIMS,
    Anonymised,
    Erased,
    Holdings,
    Kept,
    NotPersonal,
)
from services.auth.model import Base

_HASHES = frozenset({"previous_hash", "hash"})

HOLDINGS = Holdings(
    Base.metadata,
    {
        # Others refer to it: acts of staff, erasures.
        "user": Anonymised(owners=("id",), withheld=frozenset({"password_hash"})),
        "workspace": Erased(),
        "membership": Erased(owners=("tenant_id", "user_id")),
        "profile": Erased(),
        "kyc": Erased(),
        "onboarding_progress": Erased(),
        "tier": Erased(),
        "session": Erased(owners=("tenant_id", "user_id")),
        "refresh_token": Erased(withheld=frozenset({"token_hash"})),
        "mailed_token": Erased(withheld=frozenset({"token_hash"})),
        "login": Erased(owners=("tenant_id", "user_id")),
        "totp": Erased(withheld=frozenset({"secret"})),
        "recovery_code": Erased(withheld=frozenset({"digest"})),
        "passkey": Erased(),
        "login_challenge": Erased(withheld=frozenset({"secret_hash", "question"})),
        # Of the workspace that invites; those to an erased person's address are deleted with them.
        "invitation": Erased(withheld=frozenset({"token_hash"})),
        "api_key": Erased(owners=("tenant_id", "user_id"), withheld=frozenset({"secret_hash", "previous_hash"})),
        "support_grant": Erased(),
        "referral_code": Erased(owners=("tenant_id", "user_id")),
        # Without the row, the same file would make them again.
        "imported_person": Kept(ACCOUNTABILITY, owners=("tenant_id", "user_id"), withheld=frozenset({"line_digest"})),
        "login_guard": NotPersonal("digests of addresses, for minutes; a person's own is deleted with them"),
        "device_authorization": Erased(owners=("user_id",), withheld=frozenset({"device_code_hash", "user_code_hash"})),
        "data_export": Erased(withheld=frozenset({"private_key", "public_key"})),
        "data_export_part": Erased(withheld=frozenset({"content"})),
        "data_export_answer": Erased(),
        "audit_entry": Kept(LEGAL_CLAIMS, withheld=_HASHES),
        "audit_chain": Kept(LEGAL_CLAIMS, withheld=frozenset({"last_hash"})),
        "erasure": Kept(ACCOUNTABILITY, withheld=frozenset({"ticket_hash"})),
        "erasure_answer": Kept(ACCOUNTABILITY),
        "signing_key": NotPersonal("keys of the installation"),
    },
)
