"""Numbers that name a person or an account: payment cards and national identifiers, each by its own checksum or strict form.

| what | form | test | mask |
|---|---|---|---|
| payment card | 13 to 19 digits in one piece, 4-4-4-4 or 4-6-4/5 | issuer's prefix and length, Luhn (ISO/IEC 7812) | test numbers |
| US social security number* | 3-2-4 with hyphens | area not 000, 666, 9xx; no part all zero | 987-65-432x (advertising's) |
| UK national insurance number* | two letters, six digits, A to D | letters that are issued; * unless written in pairs | QQ123456A to D |
| Spanish DNI* | 8 digits and a letter | letter = number mod 23 | 00000000T |
| Spanish NIE | X, Y or Z, 7 digits and a letter | letter = number mod 23 | X0000000T |
| German Steuer-ID* | 11 digits | ISO 7064 MOD 11,10; one digit twice or thrice | 02476291358 (a test) |
| French NIR | 13 digits and a key | 97 - number mod 97; sex, month | 9 00 00 00 000 000 00 |
| Italian codice fiscale | 16 letters and digits | check letter | RSSMRA80A01H501U (Mario Rossi's) |
| IBAN | country, key, account | length of the country, mod 97 (ISO 13616) | GB82WEST12345698765432 |

A test of one digit passes one number in ten, and technical text is full of numbers: where the form is no stricter than that
(*), a word in the 40 characters before it must name it (SSN, national insurance, DNI, Steuer, …). Masks and the issuers' published
samples stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gristmill.edits.addresses import NO_NAME_AFTER, NO_NAME_BEFORE, WORD_ENDS, WORD_STARTS
from gristmill.edits.overlaps import Span
from gristmill.edits.picks import line_before, pick

TEST_CARDS = ("4111111111111111", "4242424242424242", "5555555555554444", "6011111111111117")
_SAMPLES = frozenset(
    [*TEST_CARDS, "378282246310005", "371449635398431", "5105105105105100", "4012888888881881", "30569309025904", "38520000023237",
     "3530111333300000", "3566002020360505", "6011000990139424", "2223003122003222", "4000056655665556", "4222222222222",
     "GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606", "RSSMRA80A01H501U", "00000000T", "X0000000T"]
)  # fmt: skip

MAY_HOLD_CARD = r"[0-9]{13}|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4}"
MAY_HOLD_ID = (
    r"[0-9]{3}-[0-9]{2}-[0-9]{4}|[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]|[0-9]{7}[ -]?[A-Z]|[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}"
    r"|[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"
    r"|[A-Z]{6}[0-9LMNP-V]{2}[A-Z]|[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}"
)

_CARD = re.compile(
    rf"{NO_NAME_BEFORE}(?<![.+\-])(?<![0-9][ \-])"
    r"(?:[0-9]{13,19}|[0-9]{4}([ \-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}|[0-9]{4}([ \-])[0-9]{6}\2[0-9]{4,5})"
    rf"{NO_NAME_AFTER}"
    r"(?![.\-][0-9])(?! [0-9]{4}(?![0-9]))"
)
_ISSUED = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # American Express, Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2})[0-9]{12,15}|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # Discover, UnionPay, JCB
)
_SSN = re.compile(rf"{NO_NAME_BEFORE}(?<!-)(?!000|666|9)[0-9]{{3}}-(?!00)[0-9]{{2}}-(?!0000)[0-9]{{4}}{NO_NAME_AFTER}(?!-[0-9])")
_SSN_NAMED = re.compile(rf"{WORD_STARTS}SSNs?{WORD_ENDS}|social[ \-]security|tax(?:payer)? id", re.IGNORECASE)
_NINO = re.compile(
    r"(?<![A-Za-z0-9])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r"(?:( )[0-9]{2} [0-9]{2} [0-9]{2} |[0-9]{6})[A-D](?![A-Za-z0-9])"
)
_NINO_NAMED = re.compile(rf"{WORD_STARTS}(?:NINO{WORD_ENDS}|NI (?:number|no))|national insurance", re.IGNORECASE)
_DNI = re.compile(r"(?<![A-Za-z0-9])(?:[0-9]{8}|[XYZ]-?[0-9]{7})[ \-]?[A-HJ-NP-TV-Z](?![A-Za-z0-9])")
_DNI_NAMED = re.compile(rf"{WORD_STARTS}(?:DNI|D\.N\.I|NIF|N\.I\.F){WORD_ENDS}|documento|identidad", re.IGNORECASE)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_STEUER = re.compile(rf"{NO_NAME_BEFORE}(?<![.+\-])[1-9][0-9] ?[0-9]{{3}} ?[0-9]{{3}} ?[0-9]{{3}}{NO_NAME_AFTER}(?![.\-][0-9])")
_STEUER_NAMED = re.compile(rf"steuer|{WORD_STARTS}(?:IdNr|TIN{WORD_ENDS})|identifikationsnummer|tax id", re.IGNORECASE)
_NIR = re.compile(
    rf"{NO_NAME_BEFORE}(?<![.+\-])[12] ?[0-9]{{2}} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{{2}}|2[AB]) ?[0-9]{{3}} ?[0-9]{{3}} ?[0-9]{{2}}"
    rf"{NO_NAME_AFTER}(?![.\-][0-9])"
)
_FISCALE = re.compile(r"(?<![A-Za-z0-9])[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z](?![A-Za-z0-9])")
_FISCALE_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
# A check letter's weights for A to Z in odd places; digits count as A to J
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?=[ \-]?[A-Z0-9]{4}[ \-]?[A-Z0-9]{4})")
_LETTER_OR_DIGIT = re.compile("[A-Za-z0-9]")
_IBAN_LENGTHS = {  # ISO 13616 registry
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip


def cards(line: str) -> Iterator[Span]:
    for match in _CARD.finditer(line):
        digits = re.sub("[ -]", "", match[0])
        if _ISSUED.fullmatch(digits) and _luhn(digits) and digits not in _SAMPLES:
            yield *match.span(), TEST_CARDS[pick(digits) % len(TEST_CARDS)], "pii.card"


def national_ids(line: str) -> Iterator[Span]:
    for start, end, mask in _national_ids(line):
        if re.sub("[ -]", "", line[start:end]) not in _SAMPLES:
            yield start, end, mask, "pii.national_id"


def _national_ids(line: str) -> Iterator[tuple[int, int, str]]:
    for match in _SSN.finditer(line):
        if _named(line, match, _SSN_NAMED):
            yield *match.span(), f"987-65-432{pick(match[0]) % 10}"
    for match in _NINO.finditer(line):
        if match[1] or _named(line, match, _NINO_NAMED):
            yield *match.span(), f"QQ123456{'ABCD'[pick(match[0].replace(' ', '')) % 4]}"
    for match in _DNI.finditer(line):
        number = re.sub("[ -]", "", match[0])
        foreign = number[0] in "XYZ"
        checked = _DNI_LETTERS[int(number[:-1].translate(str.maketrans("XYZ", "012"))) % 23] == number[-1]
        if checked and (foreign or _named(line, match, _DNI_NAMED)):
            yield *match.span(), "X0000000T" if foreign else "00000000T"
    for match in _STEUER.finditer(line):
        if _steuer(match[0].replace(" ", "")) and _named(line, match, _STEUER_NAMED):
            yield *match.span(), "02476291358"
    for match in _NIR.finditer(line):
        number = match[0].replace(" ", "")
        if int(number[:13].replace("2A", "19").replace("2B", "18")) % 97 == 97 - int(number[13:]):
            yield *match.span(), "9 00 00 00 000 000 00"
    for match in _FISCALE.finditer(line):
        if _fiscale(match[0]):
            yield *match.span(), "RSSMRA80A01H501U"
    for match in _IBAN.finditer(line):
        if end := _iban(line, match.start()):
            yield match.start(), end, "GB82WEST12345698765432"


def _named(line: str, match: re.Match[str], pattern: re.Pattern[str]) -> bool:
    return pattern.search(line_before(line, match.start(), 40)) is not None


def _luhn(digits: str) -> bool:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[::-2]))) % 10 == 0


def _steuer(digits: str) -> bool:
    repeated = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if repeated[-1] not in (2, 3) or repeated[-2] != 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def _fiscale(code: str) -> bool:
    values = [ord(char) - 48 if char.isdigit() else ord(char) - 65 for char in code]
    return (sum(_FISCALE_ODD[value] for value in values[:15:2]) + sum(values[1:15:2])) % 26 == values[15]


def _iban(line: str, start: int) -> int:
    """Where the account number that starts here ends; 0 if it is none."""
    length = _IBAN_LENGTHS.get(line[start : start + 2], 0)
    number, at = "", start
    while len(number) < length and at < len(line):
        if line[at].isascii() and (line[at].isdigit() or "A" <= line[at] <= "Z"):
            number += line[at]
        elif line[at] not in " -" or line[at - 1] in " -":
            return 0
        at += 1
    if not length or len(number) < length or _LETTER_OR_DIGIT.match(line, at):
        return 0
    moved = number[4:] + number[:4]
    return at if int("".join(str(int(char, 36)) for char in moved)) % 97 == 1 else 0
