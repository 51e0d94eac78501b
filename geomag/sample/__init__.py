"""The drawn world and its tiny base models; nothing but the command line imports it."""
