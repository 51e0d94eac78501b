"""Checks of a benchmark's records before anything learns from them."""
