"""RRSIS-D: facts, reader and merger."""
