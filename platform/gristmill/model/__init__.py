"""Networks: their configuration, the decoder, attention behind one function, and export to Hugging Face's layout."""
