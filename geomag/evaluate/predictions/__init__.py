"""How a long prediction is divided, kept while it runs, and put together."""
