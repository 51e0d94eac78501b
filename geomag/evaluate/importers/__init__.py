"""Other projects' prediction files as ours, one format a file."""
