"""Training runs: the loop, the run folder, the learning curve."""
