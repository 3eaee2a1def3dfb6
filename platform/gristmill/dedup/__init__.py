"""Duplicates: exact, near (MinHash) and semantic (SemDeDup) copies of a document, and the one that survives."""
