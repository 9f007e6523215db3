"""Reference agents, run from the checkout: ``python -m agents --help``."""
