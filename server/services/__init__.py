"""Use cases, free of Flask: take in, command, tell who is there, show a page what is."""
