"""Real parts, one file each. Nothing here is imported unless the settings ask for it, the host's readings apart."""
