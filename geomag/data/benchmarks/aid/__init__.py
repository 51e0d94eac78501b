"""AID: facts, reader and merger."""
