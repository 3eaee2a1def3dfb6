"""Named, immutable sets of what stood together: recorded, read later, collected."""
