"""Claims about the lake and its event log, each recomputed from what lies beneath it."""
