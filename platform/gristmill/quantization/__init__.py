"""Variants of a checkpoint whose weights are stored in few bits."""
