"""gristmill: a build system for language models.

The engine: a plain Python library that turns crawls into corpora, checkpoints and reports, and knows
nothing of the orchestrator. Importing it (or any room but the four that hold networks: `model`,
`training`, `quantization`, `evaluation`) imports neither dagster nor torch.
"""

__version__ = "0.1.0"
