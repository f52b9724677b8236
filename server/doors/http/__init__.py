"""The HTTP door: health, metrics, the page and its session, devices, readings, commands."""
