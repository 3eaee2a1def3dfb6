"""Taking text out: what it touches, the proof that it is gone, and the purge of older builds."""
