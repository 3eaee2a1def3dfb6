"""Signal columns: numbers about a text, computed once per algorithm version."""
