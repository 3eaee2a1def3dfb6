"""Answers: what is stale and why, why a page is where it is, and proof that it all hangs together."""
