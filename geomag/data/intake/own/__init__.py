"""A user's own pictures with boxes, written in the layout of a benchmark."""
