"""Scores and topics: a graded sample, heads on embeddings that learn it, and what they say of every survivor."""
