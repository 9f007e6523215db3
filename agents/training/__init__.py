"""Training runs: the loop, the run folder and the learning curve."""
