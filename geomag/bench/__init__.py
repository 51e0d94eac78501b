"""Measurements of what the design promises: seconds, memory, tokens; run by hand, not by tests."""
