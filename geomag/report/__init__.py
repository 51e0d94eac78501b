"""Tables 1-7 beside the paper's cells, figures and the index page."""
