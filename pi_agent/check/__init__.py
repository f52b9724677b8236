"""`pi-agent check` and `pi-agent wiring`: what is wrong with this Pi, in words, and the command that mends it."""
