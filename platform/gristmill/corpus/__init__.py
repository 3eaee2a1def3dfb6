"""Token shards: the tokenizer, the mixture of every phase, packing into sequences and the provenance of each."""
