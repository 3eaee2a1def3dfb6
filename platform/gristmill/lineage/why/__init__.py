"""A document's whole life, and the documents of a training step."""
