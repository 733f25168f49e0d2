"""What happens to the audit trail? Acts are put behind each other, and how far they go is signed and told."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from joserfc.jwk import OKPKey

from libs.kit.db import Tx
from services.auth.audit.heads import sign_head
from services.auth.commands.signing_keys import signing_key
from services.auth.keys import key_id
from services.auth.model import AuditChain, SecurityAct
from services.auth.repository import audit
from services.auth.tokens import Issuing

MAX_HEADS = 200


async def record(tx: Tx, acts: Sequence[SecurityAct]) -> None:
    """Put acts behind those that their workspaces have, in this order; one that is there already is left out.

    Needs a worker's transaction.
    """
    chains = await audit.lock_chains(tx, {act.workspace_id for act in acts})
    # After the locks: what another replica has just recorded has to be seen.
    known = await audit.recorded_events(tx, [act.event_id for act in acts])
    new = {act.event_id: act for act in acts if act.event_id not in known}
    if new:
        await audit.insert_links(tx, [chains[act.workspace_id].append(act) for act in new.values()])
        await audit.save_chains(tx, chains.values())


async def publish_heads(tx: Tx, issuing: Issuing) -> int:
    """Sign and tell the heads of up to MAX_HEADS chains that grew; gives how many. Needs a worker's transaction."""
    # Before any chain is locked: the key service may take its time.
    key = await signing_key(tx, issuing)
    grown = await audit.lock_grown_chains(tx, MAX_HEADS)
    for chain in grown:
        _publish_head(tx, key, chain)
    return len(grown)


async def publish_head(tx: Tx, issuing: Issuing, workspace_id: UUID) -> AuditChain:
    """Sign and tell how far a workspace's chain goes, unless that was told. Raises NotFound. Needs a worker's."""
    key = await signing_key(tx, issuing)
    chain = await audit.lock_chain(tx, workspace_id)
    if chain.signed_sequence < chain.last_sequence:
        _publish_head(tx, key, chain)
    return chain


def _publish_head(tx: Tx, key: OKPKey, chain: AuditChain) -> None:
    tx.publish(chain, *chain.publish_head(key_id(key), sign_head(key, chain.head_to_tell), tx.now))
