"""Document-local edits: spans of a view and what replaces them in the next one."""
