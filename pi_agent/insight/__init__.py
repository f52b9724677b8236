"""What the agent notices by itself while it measures: forecasts, faults of sensors, unusual readings and movements.

Everything here is online: it sees one reading after the other, keeps a bounded memory, and never looks ahead.
"""
