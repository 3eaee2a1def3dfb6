"""Verdicts: rules, policies and what-if questions over stored signals."""
