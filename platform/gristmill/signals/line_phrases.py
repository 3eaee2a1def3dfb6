"""The phrases that rules about lines look for, and the automaton (Aho and Corasick 1975) that finds them in one pass.

It reads ASCII, upper and lower case alike; any other character interrupts a phrase. The kernel looks at no more than
this; where a phrase must stand, and what may stand beside it, `lines` decides for the few lines that hold one.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LOREM_IPSUM, JAVASCRIPT, POLICY, CURLY_BRACKET, MENU, COUNTED = (1 << bit for bit in range(6))

AT_START = ("sign in", "sign-in", "sign up", "sign-up", "log in", "log-in", "login")
AT_END = ("read more", "see more", "show more", "view more", "load more", "learn more", "continue reading")
ANYWHERE = ("items in cart", "item in cart", "items in your cart", "add to cart")
COUNTED_NOUNS = (
    "like", "share", "comment", "retweet", "repost", "quote", "bookmark", "upvote", "downvote", "download", "view", "follower",
    "subscriber", "vote", "reply", "replies",
)  # fmt: skip

_PHRASES: dict[int, tuple[str, ...]] = {
    LOREM_IPSUM: ("lorem ipsum",),
    JAVASCRIPT: ("javascript",),
    POLICY: ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"),
    CURLY_BRACKET: ("{",),
    MENU: (*AT_START, *AT_END, *ANYWHERE),
    COUNTED: COUNTED_NOUNS,
}

LONGEST_PREFIX = 4


def _prefixes(bits: int) -> tuple[bytes, ...]:
    return tuple(sorted({phrase[:LONGEST_PREFIX].encode("ascii") for bit in _PHRASES if bit & bits for phrase in _PHRASES[bit]}))


OF_WORDS = _prefixes(MENU | COUNTED)
IN_WORDS = _prefixes(LOREM_IPSUM | JAVASCRIPT | POLICY | CURLY_BRACKET)
"""What phrases begin with that count at a word's beginning alone, and what those begin with that count within words too."""


class Automaton(NamedTuple):
    """`step[state + byte]`: the next state; `found[state >> 7]`: what has just been read, as bits. States are 0, 128, 256, ..."""

    step: npt.NDArray[np.int32]
    found: npt.NDArray[np.uint8]


@cache
def automaton() -> Automaton:
    edges: list[dict[int, int]] = [{}]
    found = [0]
    for bit, phrases in _PHRASES.items():
        for phrase in phrases:
            state = 0
            for byte in phrase.encode("ascii"):
                if byte not in edges[state]:
                    edges[state][byte] = len(edges)
                    edges.append({})
                    found.append(0)
                state = edges[state][byte]
            found[state] |= bit
    step = np.zeros((len(edges), 128), np.int32)
    falls = [0] * len(edges)  # the state of the longest proper suffix
    queue = deque([0])
    while queue:
        state = queue.popleft()
        if state:
            found[state] |= found[falls[state]]
            step[state] = step[falls[state]]
        for byte, after in edges[state].items():
            falls[after] = int(step[state, byte])
            step[state, byte] = after
            queue.append(after)
    step[:, ord("A") : ord("Z") + 1] = step[:, ord("a") : ord("z") + 1]
    return Automaton(step.ravel() * 128, np.array(found, np.uint8))
