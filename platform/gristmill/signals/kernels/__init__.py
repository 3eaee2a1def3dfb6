"""The compiled loops behind the signal families, over the UTF-8 bytes of many texts at once."""
