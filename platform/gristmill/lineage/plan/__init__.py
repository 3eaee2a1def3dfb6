"""What is stale and why, what an edit would flip, and what making it again costs."""
