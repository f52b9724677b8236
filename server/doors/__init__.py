"""Every way in. A door parses, checks and delegates; it keeps no state of the house."""
