"""Can a password be guessed? By zxcvbn's estimate, which knows common passwords, names, patterns, and who asks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zxcvbn import feedback, matching, scoring, time_estimates

MIN_PASSWORD = 12
MAX_PASSWORD = 128
PIECE = 36
"""Characters that are estimated together: zxcvbn's time grows with their square, and with every way to read `4@8(`."""
MAX_PERSONAL_WORDS = 32
SAFE = 3
"""zxcvbn's third of 0 to 4: at least 10^8 guesses, the least that argon2id needs to hold an offline attack off."""

# No composition of NFKC makes one character of more than four, so what is longer is too long in any form.
_LONGEST_FORM = 4 * MAX_PASSWORD
_MIN_PERSONAL_WORD = 3
_HOUSE = "fillstream"
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_SEPARATORS = str.maketrans(dict.fromkeys(" ._-"))


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why a password is refused. Says nothing of the password itself."""

    score: int
    """0 to 2: below SAFE."""
    warning: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Estimate:
    guesses: int
    weakness: Weakness


def weakness(password: str, about: Sequence[str]) -> Weakness | None:
    """What makes a password weak, or None. `about` is what others know of its owner: address, names, username.

    It is as strong as the strongest of its pieces: whoever guesses all of it guesses each of them. So a password longer
    than a piece may be refused though the whole would just pass, and is never cut before it is hashed. Takes up to
    half a second of one core for a password made to be slow, so it belongs on a thread, as hashing does.
    """
    form = unicodedata.normalize("NFKC", password[: _LONGEST_FORM + 1])
    if len(password) > _LONGEST_FORM or len(form) > MAX_PASSWORD:
        return Weakness(0, f"This has more than {MAX_PASSWORD} characters.")
    if len(form) < MIN_PASSWORD:
        return Weakness(0, f"This has fewer than {MIN_PASSWORD} characters.", ("Add another word or two.",))
    known = _dictionaries(personal_words(about))
    strongest: _Estimate | None = None
    for piece in pieces(form):
        estimate = _weaker_reading(piece, known)
        if estimate.weakness.score >= SAFE:
            return None
        strongest = estimate if strongest is None else max(strongest, estimate, key=lambda one: one.guesses)
    return strongest.weakness if strongest else None


def pieces(form: str) -> Iterator[str]:
    """A password's characters, all of them, as parts that zxcvbn can take."""
    return (form[start : start + PIECE] for start in range(0, len(form), PIECE))


def personal_words(about: Sequence[str]) -> tuple[str, ...]:
    """What an attacker who knows the owner tries first: words of addresses and names, and those written together."""
    words: dict[str, None] = {_HOUSE: None}
    for said in about:
        text = unicodedata.normalize("NFKC", said[:_LONGEST_FORM]).lower()
        for part in (text, text.partition("@")[0]):
            words |= dict.fromkeys([*_BETWEEN_WORDS.split(part), _BETWEEN_WORDS.sub("", part)])
    told = (word[:PIECE] for word in words if len(word) >= _MIN_PERSONAL_WORD)
    return tuple(told)[:MAX_PERSONAL_WORDS]


def _dictionaries(words: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    # zxcvbn() keeps the words in a global: another thread's user would be judged by them.
    common: Mapping[str, Mapping[str, int]] = matching.RANKED_DICTIONARIES
    return {**common, "user_inputs": matching.build_ranked_dict(words)}


def _weaker_reading(piece: str, known: Mapping[str, Mapping[str, int]]) -> _Estimate:
    """As it is, and without what stands between words: zxcvbn takes any three parts, as `ada.lovelace`, for safe."""
    as_it_is, bare = _estimate(piece, known), piece.translate(_SEPARATORS)
    if as_it_is.weakness.score < SAFE or bare in {piece, ""}:
        return as_it_is
    return min(as_it_is, _estimate(bare, known), key=lambda one: one.guesses)


def _estimate(piece: str, known: Mapping[str, Mapping[str, int]]) -> _Estimate:
    best = scoring.most_guessable_match_sequence(piece, matching.omnimatch(piece, known))
    score: int = time_estimates.guesses_to_score(best["guesses"])
    said = feedback.get_feedback(score, best["sequence"])
    return _Estimate(int(best["guesses"]), Weakness(score, said["warning"], tuple(said["suggestions"])))
