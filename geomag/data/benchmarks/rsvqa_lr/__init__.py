"""RSVQA-LR: facts, reader and merger."""
