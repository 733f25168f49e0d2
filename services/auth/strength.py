"""Can a password be guessed? By zxcvbn's estimate, which knows common passwords, names, patterns, and who asks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zxcvbn import feedback, matching, scoring, time_estimates

MIN_PASSWORD = 12
MAX_PASSWORD = 128
LOOKED_AT = 72
"""Characters that are estimated: zxcvbn's own limit, whose time grows with their square."""
MAX_PERSONAL_WORDS = 32
SAFE = 3
"""zxcvbn's third of 0 to 4: at least 10^8 guesses, the least that argon2id needs to hold an offline attack off."""

# No composition of NFKC makes one character of more than four, so what is longer is too long in any form.
_LONGEST_FORM = 4 * MAX_PASSWORD
_MIN_PERSONAL_WORD = 3
_HOUSE = "fillstream"
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_SEPARATORS = str.maketrans(dict.fromkeys(" ._-"))
# zxcvbn tries every way to read symbols as letters, 736 of them for `4@8({[<369!|1075$+%2`, and each over all of the
# password. Where there are many, one symbol stands for all that are read as its letter: no word is found less.
_MAX_WAYS = 64
_READ_ALIKE = str.maketrans("{[<@$", "(((45")


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why a password is refused. Says nothing of the password itself."""

    score: int
    """0 to 2: below SAFE."""
    warning: str
    suggestions: tuple[str, ...] = ()


def weakness(password: str, about: Sequence[str]) -> Weakness | None:
    """What makes a password weak, or None. `about` is what others know of its owner: address, names, username.

    All of it is hashed, and its first 72 characters are judged: whoever guesses the whole guesses its beginning, too, so
    one that is longer may be refused though its end would save it. Takes up to half a second of one core for a password
    that was made to be slow, so it belongs on a thread, as hashing does.
    """
    form = unicodedata.normalize("NFKC", password[: _LONGEST_FORM + 1])
    if len(password) > _LONGEST_FORM or len(form) > MAX_PASSWORD:
        return Weakness(0, f"This has more than {MAX_PASSWORD} characters.")
    if len(form) < MIN_PASSWORD:
        return Weakness(0, f"This has fewer than {MIN_PASSWORD} characters.", ("Add another word or two.",))
    known = _dictionaries(personal_words(about))
    found = (_judged(reading, known) for reading in readings(form))
    return next((one for one in found if one.score < SAFE), None)


def readings(form: str) -> Iterator[str]:
    """What is judged of a password: as it is, and without what stands between words.

    zxcvbn takes anything of three parts for safe, as `ada.lovelace` is.
    """
    start = form[:LOOKED_AT]
    symbols = matching.relevant_l33t_subtable(start, matching.L33T_TABLE)
    if len(matching.enumerate_l33t_subs(symbols)) > _MAX_WAYS:
        start = start.translate(_READ_ALIKE)
    yield start
    bare = start.translate(_SEPARATORS)
    if bare != start:
        yield bare


def personal_words(about: Sequence[str]) -> tuple[str, ...]:
    """What an attacker who knows the owner tries first: words of addresses and names, and those written together."""
    words: dict[str, None] = {_HOUSE: None}
    for said in about:
        text = unicodedata.normalize("NFKC", said[:_LONGEST_FORM]).lower()
        for part in (text, text.partition("@")[0]):
            words |= dict.fromkeys([*_BETWEEN_WORDS.split(part), _BETWEEN_WORDS.sub("", part)])
    told = (word[:LOOKED_AT] for word in words if len(word) >= _MIN_PERSONAL_WORD)
    return tuple(told)[:MAX_PERSONAL_WORDS]


def _dictionaries(words: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    # zxcvbn() keeps the words in a global: another thread's user would be judged by them.
    common: Mapping[str, Mapping[str, int]] = matching.RANKED_DICTIONARIES
    return {**common, "user_inputs": matching.build_ranked_dict(words)}


def _judged(reading: str, known: Mapping[str, Mapping[str, int]]) -> Weakness:
    best = scoring.most_guessable_match_sequence(reading, matching.omnimatch(reading, known))
    score: int = time_estimates.guesses_to_score(best["guesses"])
    said = feedback.get_feedback(score, best["sequence"])
    return Weakness(score, said["warning"], tuple(said["suggestions"]))
