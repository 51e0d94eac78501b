"""Procedural scenes: objects, expressions, questions and captions with exact ground truth."""
