"""New imagery on its way into ``data/``."""
