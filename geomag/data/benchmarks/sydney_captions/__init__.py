"""Sydney-Captions: facts, reader and merger."""
