"""DIOR-RSVG: facts, reader and merger."""
