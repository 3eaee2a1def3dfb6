"""What makes a document's life a matter of look-ups: where it is, what its text says, and the lineage tables by another key."""
