"""One reader per benchmark; each reads the real download layout."""
