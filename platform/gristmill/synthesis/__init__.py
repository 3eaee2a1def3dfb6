"""Synthetic documents: a teacher writes stories, programs write exercises, and programs verify both."""
