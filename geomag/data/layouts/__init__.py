"""Files of the download layouts, as bytes that depend on their values alone."""
