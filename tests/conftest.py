"""What holds for every test."""

from hypothesis import settings

# Machines are noisy: how long an example takes says nothing about whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
