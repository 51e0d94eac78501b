"""Ablations that are run by hand; nothing but the command line imports them."""
