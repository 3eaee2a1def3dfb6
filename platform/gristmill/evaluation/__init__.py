"""What a model is worth: bits per byte by domain, baselines, samples, and the report of a whole build."""
