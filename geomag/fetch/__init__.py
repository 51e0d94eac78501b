"""Checkpoints and benchmarks from the Hugging Face hub, at revisions that are pinned here."""
