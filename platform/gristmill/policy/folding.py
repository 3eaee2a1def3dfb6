"""Breaks long names where a reader expects it: a URL behind `/`, a rule's or a host's name behind `.` or `_`."""

from __future__ import annotations

import re


def folded(text: str, width: int, behind: str = "/") -> str:
    """The text in lines of at most `width` characters, broken behind one of the characters; inside a longer piece where it must be."""
    lines = [""]
    for piece in re.findall(f"[^{re.escape(behind)}]*[{re.escape(behind)}]*", text):
        if len(lines[-1]) + len(piece) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1]) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return "\n".join(line for line in lines if line)
