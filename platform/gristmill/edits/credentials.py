"""Secrets: keys and tokens by their issuers' prefixes, private keys, and what is assigned to a name such as `password`.

- Tokens with a prefix of their own: AWS access keys; GitHub, GitLab, Slack, Stripe (live), Google, npm, PyPI, Hugging Face,
  SendGrid and OpenAI tokens; JSON web tokens (RFC 7519: two parts that begin as encoded JSON objects, and a signature).
- Private keys in PEM or PGP armour (RFC 7468): what lies between the two lines, over any number of lines, if it holds at
  least 64 characters of base64. The two lines stay.
- `password = "..."`, `"api_key": "..."`, `AUTH_TOKEN=...`: a value in quotes of 8 to 200 characters with a letter and a digit
  and at least 3 bits of entropy per character, or 16 and more and 3.5 bits where it stands without quotes and ends its
  line. Words in one case that end in a number (`engine1_upgrades`), calls and variables are no values.

Documentation is full of samples: what holds `EXAMPLE` (as all of Amazon's do), `xxxx`, `your`, `12345678`, … stays, and so do
low entropies. The masks keep the prefix and hold `EXAMPLE`, so they are samples too.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from gristmill.edits.addresses import NO_NAME_BEFORE
from gristmill.edits.overlaps import Span
from gristmill.edits.picks import pick

MAY_HOLD_SECRET = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_|glpat-|xox[abeoprs]-|[sr]k_live_|AIza[A-Za-z0-9_-]{35}|GOCSPX-|ya29\."
    r"|npm_[A-Za-z0-9]{36}|pypi-AgE|hf_[A-Za-z]{30}|SG\.[A-Za-z0-9_-]{16}|sk-[A-Za-z0-9_-]{20}|eyJ[A-Za-z0-9_-]{8}|PRIVATE KEY"
    r"|(?i:pass|pwd|password|passwd|passphrase|secret|token|key|credentials?)[\"']?[ \t]{0,4}(?::=|=>|=|:)[ \t]{0,4}[\"']?[^\s\"']{8}"
)
PEM_MARK = r"-----(?:BEGIN|END) [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"

_TOKEN = re.compile(
    rf"{NO_NAME_BEFORE}(?<!-)(?:"
    r"((?:AKIA|ASIA|ABIA|ACCA))[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(gh[pousr]_)[A-Za-z0-9]{36,251}|(github_pat_)[A-Za-z0-9_]{22,251}|(glpat-)[A-Za-z0-9_\-]{20,250}|(xox[abeoprs]-)[A-Za-z0-9\-]{16,250}"
    r"|([sr]k_live_)[A-Za-z0-9]{16,250}|(AIza)[A-Za-z0-9_\-]{35}|(GOCSPX-)[A-Za-z0-9_\-]{28}|(ya29\.)[A-Za-z0-9_\-]{20,2000}|(npm_)[A-Za-z0-9]{36}"
    r"|(pypi-)AgE[A-Za-z0-9_\-]{50,1000}|(hf_)[A-Za-z]{30,40}|(SG\.)[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}|(sk-)(?:[a-z]{2,10}-)?[A-Za-z0-9_\-]{20,250}"
    r")(?!_?[A-Za-z0-9]|-)"
)
_JWT = re.compile(rf"{NO_NAME_BEFORE}(?<!-)eyJ[A-Za-z0-9_\-]{{8,}}+\.eyJ[A-Za-z0-9_\-]{{4,}}+\.[A-Za-z0-9_\-]{{16,}}+")
_PEM = re.compile(PEM_MARK)
_NAMES = r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_\-]?key|(?:access|secret|private|auth|encryption|signing)[_\-]?key|credentials?"
_QUOTED = re.compile(rf"(?:{_NAMES})[\"']?[ \t]{{0,4}}(?::=|=>|=|:)[ \t]{{0,4}}([\"'])([^\"'\s]{{8,200}})(?=\1)", re.IGNORECASE)
_BARE = re.compile(
    rf"^[ \t]{{0,16}}(?:export[ \t]+)?[A-Za-z0-9_\-.]{{0,40}}?(?:{_NAMES})[ \t]{{0,4}}=[ \t]{{0,4}}"
    r"([A-Za-z0-9_\-+/=.~!@#%^&*]{16,200}+)(?=[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_IDENTIFIER = re.compile(r"(?:[a-z]+[0-9]{0,4}[_\-./:])*[a-z]+[0-9]{0,4}|(?:[A-Z]+[0-9]{0,4}[_\-./:])*[A-Z]+[0-9]{0,4}")
_SAMPLE = re.compile(
    r"example|sample|x{4}|\*{3}|\.{3}|place_?-?holder|change_?-?me|dummy|your|12345678|abcdef|redacted|insert|replace|hunter2|passw|secret|^test|foobar"
    r"|eyJzdWIiOiIxMjM0NTY3ODkw|[<>${}()\[\]]|://|::",  # among them the body of jwt.io's sample
    re.IGNORECASE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{24,}")  # no word is as long
LEAST_KEY, LONGEST_KEY = 64, 20_000  # characters: of base64 in a private key, and of all of it (RSA of 16,384 bits has 13,000)
TOKEN_BITS, QUOTED_BITS, BARE_BITS = 3.0, 3.0, 3.5  # per character


def secrets(text: str) -> Iterator[Span]:
    """In a line, or in the lines of an armoured key and what shares them."""
    yield from _armoured(text)
    for match in _TOKEN.finditer(text):
        prefix = match[match.lastindex or 0]
        body = match[0][len(prefix) :]
        if not _SAMPLE.search(body) and _bits(body) >= TOKEN_BITS:
            yield *match.span(), _mask(prefix, match[0]), "pii.secret"
    for match in _JWT.finditer(text):
        if not _SAMPLE.search(match[0]):
            yield *match.span(), _mask("", match[0]), "pii.secret"
    for match in _QUOTED.finditer(text):
        if _is_value(match[2], QUOTED_BITS):
            yield *match.span(2), _mask("", match[2]), "pii.secret"
    for match in _BARE.finditer(text):
        if _is_value(match[1], BARE_BITS):
            yield *match.span(1), _mask("", match[1]), "pii.secret"


def _armoured(text: str) -> Iterator[Span]:
    marks = list(_PEM.finditer(text))
    for first, second in pairwise(marks):
        body = text[first.end() : second.start()]
        if "BEGIN" not in first[0] or "END" not in second[0] or len(body) > LONGEST_KEY or "EXAMPLE" in body:
            continue
        if sum(map(len, _BASE64.findall(body))) >= LEAST_KEY:
            end = "\n" if body.startswith("\n") else ""
            yield first.end(), second.start(), f"{end}{_mask('', body)}{end}", "pii.secret"


def _is_value(value: str, bits: float) -> bool:
    if _SAMPLE.search(value) or _IDENTIFIER.fullmatch(value):
        return False
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and _bits(value) >= bits


def _bits(value: str) -> float:
    """Shannon entropy per character, of the value's own characters."""
    counts = Counter(value).values()
    return sum(count * math.log2(len(value) / count) for count in sorted(counts)) / max(len(value), 1)


def _mask(prefix: str, value: str) -> str:
    return f"{prefix}EXAMPLE{pick(value) % 0x1_0000_0000:08x}"
