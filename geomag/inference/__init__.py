"""Inference: one path from a prompt and a picture to an answer, for every command."""
