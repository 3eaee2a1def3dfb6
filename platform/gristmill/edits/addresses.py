"""Where a person or a machine is reached: e-mail addresses, IP addresses, telephone numbers.

- E-mail: local part of Latin letters, digits and `._%+'-`, at most 64 characters (RFC 5321, section 4.5.3.1.1), and a domain
  name of Latin letters and digits with a top level of letters. Letters of other scripts end an address: in text without
  spaces they are the words beside it, and addresses that hold them (RFC 6531) are next to none. Addresses in the
  reserved domains of RFC 2606 (example.com, .example, .invalid, .test, .localhost) are no one's and stay; the masks are
  among them (datatrove's two).
- IPv4 becomes an address of the documentation ranges of RFC 5737, IPv6 one of 2001:db8::/32 (RFC 3849). Only global
  addresses are masked. Four numbers below 100 are a section's or a version's at the start of a line ("4.8.1.4. From
  file") or after a word that says so ("Section 43.7.2.1", "version 3.8.10.1"), and stay: in manuals these outnumber
  addresses five to one. A version elsewhere ("from 1.2.3.4 to 1.2.3.5") is taken for an address.
- Telephone: most groups of digits in technical text are none, so one of three marks is asked for: `+` and a country
  code of E.164 (8 to 15 digits, ten where nothing separates them; North American numbers by their plan), an area code
  in parentheses ("(212) 736-5000", "(030) 2271590"), or a word before it that says so ("phone", "Tél :", "call us at",
  "电话：") with 7 to 15 digits; only there may groups stand as far apart as in "030 / 227 - 15910". Masks are North
  America's fictional 555-0100 to 555-0199; those and the United Kingdom's drama numbers (Ofcom) stay.

What stands beside a number decides whether it is one: an ASCII letter or digit, or a `_` that joins it to one (`img_8.8.8.8`),
makes it part of a name; a letter of another script or the `_` of Markdown's emphasis does not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from gristmill.edits.overlaps import Span
from gristmill.edits.picks import line_before, pick

EMAIL_MASKS = ("email@example.com", "firstname.lastname@example.org")
IPV4_RANGES = ("192.0.2", "198.51.100", "203.0.113")
PHONE_AREAS = (202, 303, 404, 505, 606, 707, 808, 909)

LATIN = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"  # in a class: letters, those with accents among them
NO_NAME_BEFORE = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9]_)"
NO_NAME_AFTER = r"(?!_?[A-Za-z0-9])"
WORD_STARTS = rf"(?<![{LATIN}0-9])(?<![{LATIN}0-9]_)"  # as \b, but words of a script without spaces may stand beside it
WORD_ENDS = rf"(?!_?[{LATIN}0-9])"

_GREEK = r"\u0386\u0388-\u03ff\u0400-\u0481\u048a-\u052f"  # and Cyrillic: blanks part a name from other words there too
_SIGNS = r"0-9_.%+'\-"
MAY_HOLD_EMAIL = rf"[{LATIN}{_GREEK}{_SIGNS}]@[{LATIN}0-9]"
MAY_HOLD_IP = r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:"
MAY_HOLD_PHONE = (
    r"\+[1-9][0-9 .\-/()\u00a0]{6}|\([0-9]{2,5}\)[ .\-/\u00a0]{0,2}[0-9]"
    r"|(?i:t[ée]l|phone|fax|call|dial|mobil|m[óo]vil|cell|celul|whatsapp|hotline|handy|rufnummer|durchwahl|tlf|тел|моб"
    r"|电话|電話|手机|手機|传真|傳真|热线|熱線|携帯|전화|휴대폰|연락처|팩스)[^0-9\n]{0,48}[0-9][0-9 .\-/()–\u00a0]{6}"
)

_LOCAL_TAIL = re.compile(rf"[{_SIGNS}]*[{LATIN}][{LATIN}{_SIGNS}]*|[{_GREEK}{_SIGNS}]*")  # before the @, backwards; in one script
_DOMAIN = re.compile(rf"((?:[{LATIN}0-9][{LATIN}0-9\-]{{0,62}}\.){{1,30}}[{LATIN}]{{2,24}})(?![{LATIN}0-9@])")
_LONGEST_LOCAL = 64
_RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|invalid|test|localhost)$", re.IGNORECASE)

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{NO_NAME_BEFORE}(?<!\.)(?:{_OCTET}\.){{3}}{_OCTET}{NO_NAME_AFTER}(?!\.[0-9])")
_IPV6 = re.compile(rf"{NO_NAME_BEFORE}(?<![:.])[0-9A-Fa-f]{{1,4}}(?::[0-9A-Fa-f]{{0,4}}){{2,7}}{NO_NAME_AFTER}(?!:|\.[0-9])")
_NUMBERED = r"sections?|sec\.|chapters?|appendix|tables?|figures?|examples?|versions?|releases?|ver\.|v\."
_NUMBERED_HERE = "第|제|[章节節表图圖図版]|版本|バージョン|버전"  # the same words where none needs a space
_NUMBERING = re.compile(rf"(?:^(?:[^\w\n]|_)*|(?:§|{WORD_STARTS}(?:{_NUMBERED})|{_NUMBERED_HERE})[^\S\n]*)\Z", re.IGNORECASE | re.MULTILINE)

_GAP = r"[ .\-/\u00a0]{0,2}"
_PHONE = re.compile(
    rf"{NO_NAME_BEFORE}(?<!\+)(?:\+[0-9]{{1,3}}{_GAP}(?:\([0-9]{{1,5}}\){_GAP})?|\([0-9]{{2,5}}\){_GAP}|)[0-9](?:{_GAP}[0-9])*+"
)
_WIDER = re.compile(rf"(?:(?:{_GAP}|\)?[ \u00a0]?[\-/–][ \u00a0]?)[0-9]){{1,15}}+")  # behind a word that says so: " - " between groups too
_NOT_ENDED = re.compile(r"_?[A-Za-z0-9]|:[0-9]")  # what makes the digits before it part of a name or of a time
_BETWEEN = rf"[^{LATIN}0-9\n]{{0,3}}"
_WORDS = (
    r"t[ée]l|t[ée]l[ée]f?|t[ée]l[ée]phone|tel[eé]fono|telefon[eio]?|telefoon|telefonnummer|telefonnr|rufnummer|durchwahl|telefax|tlf"
    r"|phones?|fax|call|dial|mobil|mobil[ei]|mobiltelefon|mobilnummer|handy|handynummer|m[óo]vil|cell|cellphone|celular|cellulare"
    r"|whatsapp|hotline"
)
_WORDS_HERE = "电话|電話|手机|手機|传真|傳真|热线|熱線|携帯|전화|휴대폰|연락처|팩스"  # of scripts in which none needs a space
_CYRILLIC = r"(?<!\w)(?:тел|телефон|телефоны|телефакс|факс|моб|мобильный)(?!\w)"
_CALLED = re.compile(
    rf"(?:{WORD_STARTS}(?:{_WORDS}){WORD_ENDS}|{_WORDS_HERE}|{_CYRILLIC}){_BETWEEN}"
    rf"(?:(?:us|me|him|her|them|on|at|no|nr|num|numbers?|now|is|line|toll|free|or|and|today|directly|office|home|work|fax){WORD_ENDS}{_BETWEEN}){{0,4}}\Z",
    re.IGNORECASE,
)
_AMERICAN = re.compile(r"1?[2-9][0-9]{2}[2-9][0-9]{6}")  # area, exchange, subscriber: the North American plan
_AMERICAN_AREA = re.compile(r"\([2-9][0-9]{2}\)[ .\-\u00a0]?[2-9][0-9]{2}[ .\-\u00a0][0-9]{4}")
_NOT_CALLED = re.compile(
    r"(?:19|20)[0-9]{2}[-./][0-9]{1,2}[-./][0-9]{1,2}\b.*|[0-9]{1,2} ?[-./] ?[0-9]{1,2} ?[-./] ?(?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2} ?[-/–] ?(?:19|20)[0-9]{2}|[0-9]+\.[0-9]+|(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
    re.DOTALL,
)
_FICTIONAL = re.compile(r"1?(?:[2-9][0-9]{2})?55501[0-9]{2}|(?:44|0)0?(?:2079460|7700900|1632960)[0-9]{3}")
_COUNTRY = re.compile(
    r"1|7|2[07]|2[1-689][0-9]|3[0-469]|3[578][0-9]|4[013-9]|42[0-9]|5[1-8]|5[09][0-9]|6[0-6]|6[7-9][0-9]|"
    r"8[1246]|8[035789][0-9]|9[0-58]|9[67][0-9]|99[2-68]"
)  # ITU-T E.164: which lengths the country codes have


def emails(line: str) -> Iterator[Span]:
    at, taken = line.find("@"), 0  # an address starts after the end of the one before it
    while at >= 0:
        if domain := _DOMAIN.match(line, at + 1):
            local = _LOCAL_TAIL.match(line[max(taken, at - _LONGEST_LOCAL - 1) : at][::-1])[0][::-1].lstrip("._%+'-")  # type: ignore[index]
            if 0 < len(local) <= _LONGEST_LOCAL:
                taken = domain.end()
                if not _RESERVED.search(domain[1]):
                    mask = EMAIL_MASKS[pick(f"{local}@{domain[1]}".lower()) % len(EMAIL_MASKS)]
                    yield at - len(local), taken, mask, "pii.email"
        at = line.find("@", at + 1)


def ips(line: str) -> Iterator[Span]:
    for match in _IPV4.finditer(line):
        numbered = max(map(int, match[0].split("."))) < 100 and _NUMBERING.search(line, max(0, match.start() - 24), match.start())
        v4 = ipaddress.IPv4Address(match[0])
        if v4.is_global and not v4.is_multicast and not numbered:
            picked = pick(match[0])
            yield *match.span(), f"{IPV4_RANGES[picked % 3]}.{1 + picked // 3 % 254}", "pii.ip"
    for match in _IPV6.finditer(line):
        try:
            address = ipaddress.IPv6Address(match[0])
        except ValueError:
            continue  # a time, a ratio, a slice: groups and colons that are no address
        if int(address) >> 125 == 1 and address.is_global:  # 2000::/3, the global unicast space
            yield *match.span(), f"2001:db8::{1 + pick(str(address)) % 0xFFFE:x}", "pii.ip"


def phones(line: str) -> Iterator[Span]:
    taken = 0  # what the number before covers
    for match in _PHONE.finditer(line):
        start, end = match.span()
        if start < taken:
            continue
        digits = re.sub("[^0-9]", "", match[0])
        if len(digits) < 7 and (wider := _WIDER.match(line, end)) and _is_called(line, start):
            end = wider.end()
            digits += re.sub("[^0-9]", "", wider[0])
        written = line[start:end]
        if not 7 <= len(written) <= 40 or _NOT_ENDED.match(line, end) or _FICTIONAL.fullmatch(digits):
            continue
        if _international(written, digits) or _with_area(written, digits) or _called(written, digits, line, start):
            taken = end
            picked = pick(digits)
            yield start, end, f"+1-{PHONE_AREAS[picked % 8]}-555-01{picked // 8 % 100:02}", "pii.phone"


def _international(written: str, digits: str) -> bool:
    if written[0] != "+" or not 8 <= len(digits) <= 15 or (len(written) == len(digits) + 1 and len(digits) < 10):
        return False
    if digits[0] == "1":
        return len(digits) == 11 and _AMERICAN.fullmatch(digits) is not None
    country = _COUNTRY.match(digits)
    return country is not None and (digits[country.end()] != "0" or country[0] == "39" or "(0" in written)


def _with_area(written: str, digits: str) -> bool:
    if written[0] != "(":
        return False
    return _AMERICAN_AREA.fullmatch(written) is not None or (written[1] == "0" and 8 <= len(digits) <= 12)


def _called(written: str, digits: str, line: str, start: int) -> bool:
    if not 7 <= len(digits) <= 15 or _NOT_CALLED.fullmatch(written):
        return False
    return _is_called(line, start)


def _is_called(line: str, start: int) -> bool:
    """Whether a word that announces a telephone number stands before it."""
    return _CALLED.search(line_before(line, start, 48)) is not None
