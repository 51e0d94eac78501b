"""UCM-Captions: facts, reader and merger."""
