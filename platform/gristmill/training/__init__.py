"""Checkpoints: the learning rate's schedule, the loop that resumes to the bit, averaging, and the ledger of every batch."""
