"""One suite over everything that claims to be the same thing."""
