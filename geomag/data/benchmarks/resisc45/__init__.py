"""RESISC45: facts, reader and merger."""
