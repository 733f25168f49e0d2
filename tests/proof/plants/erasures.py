"""What may go wrong with erasures?"""

from __future__ import annotations

from tests.proof.plants.plant import in_database

PLANTS = (
    in_database(
        "what_was_erased_is_gone",
        "something came back of who was erased",
        """INSERT INTO billing.idempotency_key (tenant_id, key, request_hash)
           SELECT tenant_id, 'late', sha256('') FROM billing.erased_workspace""",
    ),
    in_database(
        "what_was_kept_is_there",
        "more was kept than there is",
        "UPDATE auth.erasure_answer SET kept = jsonb_set(kept, '{0,rows}', '9') WHERE context = 'billing'",
    ),
)
