"""Shipped profiles: named sets of rules. A policy takes one or several and changes what it likes."""

from __future__ import annotations

from gristmill.policy.profiles import c4, code, dolma, fineweb, gopher, kl, language, llama3, phi_reasoning, refinedweb
from gristmill.policy.rules import Profile

PROFILES: dict[str, Profile] = {
    "c4": c4.PROFILE,
    "code": code.PROFILE,
    "dolma@1.7": dolma.PROFILE,
    "fineweb": fineweb.PROFILE,
    "fineweb@0.3": fineweb.PROFILE_0_3,
    "gopher": gopher.PROFILE,
    "kl": kl.PROFILE,
    "language": language.PROFILE,
    "llama3": llama3.PROFILE,
    "phi-reasoning": phi_reasoning.PROFILE,
    "refinedweb": refinedweb.PROFILE,
}
