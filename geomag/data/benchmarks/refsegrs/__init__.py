"""RefSegRS: facts, reader and merger."""
