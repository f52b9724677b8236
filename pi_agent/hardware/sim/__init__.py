"""A simulated room: product code, for whoever has no Pi at hand, for demonstrations and for every test."""
