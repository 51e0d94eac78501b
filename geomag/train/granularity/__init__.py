"""Training of the task granularity classifier."""
