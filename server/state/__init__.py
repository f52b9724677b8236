"""What the relay knows now: devices, their accessories' three truths, their last values."""
