"""What happens to signing keys? The first makes itself, each gives way to its successor."""

from __future__ import annotations

from datetime import timedelta

from joserfc.jwk import OKPKey

from libs.kit.acts import SYSTEM, Act, Target, tell_act
from libs.kit.crypto.key_encryption import KeyRefused, Unwrappable
from libs.kit.db import Tx
from services.auth.keys import generate_key, key_id, public_jwk
from services.auth.model import SigningKey, signing_at
from services.auth.repository import signing_keys
from services.auth.tokens import Issuing


async def public_keys(tx: Tx, issuing: Issuing) -> list[dict[str, str]]:
    """The JSON Web Keys that valid tokens are signed with, now or soon. Makes the first one where there is none."""
    await signing_key(tx, issuing)
    return [key.public_jwk for key in await signing_keys.current(tx, tx.now - issuing.key_overlap)]


async def every_public_key(tx: Tx) -> list[dict[str, str]]:
    """The JSON Web Keys of all keys that ever signed: heads of audit trails outlive their keys."""
    return [key.public_jwk for key in await signing_keys.every(tx)]


async def signing_key(tx: Tx, issuing: Issuing) -> OKPKey:
    """The private key that signs now."""
    signing = signing_at(await signing_keys.current(tx, tx.now - issuing.key_overlap), tx.now)
    if signing is None:
        signing = await _first_key(tx, issuing)
    return await issuing.vault.open(signing.kid, signing.wrapped)


async def _first_key(tx: Tx, issuing: Issuing) -> SigningKey:
    await signing_keys.lock(tx)
    # Another replica may have made it while we waited.
    made = signing_at(await signing_keys.current(tx, tx.now - issuing.key_overlap), tx.now)
    return made or await _add_key(tx, issuing, timedelta(0))


async def _add_key(tx: Tx, issuing: Issuing, lead: timedelta) -> SigningKey:
    pair = generate_key()
    wrapped = await issuing.vault.seal(pair)
    key = SigningKey(
        kid=key_id(pair),
        sealed_private_key=wrapped.ciphertext,
        wrapped_by=wrapped.by,
        public_jwk=public_jwk(pair),
        active_from=tx.now + lead,
    )
    tx.add(key)
    await tx.flush()
    return key


async def rotate_signing_key(tx: Tx, issuing: Issuing) -> SigningKey:
    """Let a new key sign, once it has been public for `key_lead`; older ones stay public for `key_overlap` after that.

    Needs a worker's transaction.
    """
    await signing_keys.lock(tx)
    older = await signing_keys.current(tx, tx.now - issuing.key_overlap)
    successor = await _add_key(tx, issuing, issuing.key_lead if older else timedelta(0))
    for key in older:
        if key.retired_at is None:
            key.give_way(successor)
    tell_act(tx, None, Act("signing_key.rotated", SYSTEM, Target("signing_key", successor.kid)))
    return successor


async def rewrap_signing_keys(tx: Tx, issuing: Issuing) -> list[str]:
    """Wrap the private keys that are still of use by the newest key-encryption key. Needs a worker's transaction.

    One that does not open stays as it is; gives why, for each.
    """
    await signing_keys.lock(tx)
    failures: list[str] = []
    for key in await signing_keys.current(tx, tx.now - issuing.key_overlap):
        try:
            key.wrap_anew(await issuing.vault.rewrap(key.kid, key.wrapped))
        except (KeyRefused, Unwrappable) as error:
            failures.append(f"signing key {key.kid}: {error}")
    return failures
