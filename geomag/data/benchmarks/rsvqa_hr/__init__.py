"""RSVQA-HR: facts, reader and merger."""
