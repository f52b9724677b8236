"""The relay: takes in what devices measure, stores it, shows it on every screen and carries commands back."""
