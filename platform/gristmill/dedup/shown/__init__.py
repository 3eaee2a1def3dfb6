"""What there is to see of duplicates: collected from the lake, printed in a terminal, written as a page."""
