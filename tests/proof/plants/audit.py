"""What may go wrong with audit trails?"""

from __future__ import annotations

from tests.proof.plants.plant import in_database

_ONE = "(SELECT tenant_id FROM auth.audit_chain WHERE last_sequence > 1 ORDER BY tenant_id LIMIT 1)"

PLANTS = (
    in_database(
        "every_trail_is_a_chain",
        "an entry was changed",
        f"UPDATE auth.audit_entry SET device = 'another' WHERE tenant_id = {_ONE} AND sequence = 1",
    ),
    in_database(
        "every_trail_is_a_chain",
        "an entry follows from another one",
        f"UPDATE auth.audit_entry SET previous_hash = sha256('') WHERE tenant_id = {_ONE} AND sequence = 2",
    ),
    in_database(
        "every_chain_ends_where_it_says",
        "a chain says that it goes on",
        f"UPDATE auth.audit_chain SET last_sequence = last_sequence + 1 WHERE tenant_id = {_ONE}",
    ),
    in_database(
        "every_head_that_was_told_is_signed_and_in_its_chain",
        "a key that signed heads is another one",
        """UPDATE auth.signing_key SET public_jwk = public_jwk || '{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'""",
    ),
)
