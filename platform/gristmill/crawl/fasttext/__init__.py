"""fastText's classifier, read from its own model file and applied by a kernel."""
