"""What users switch: behaviour over actuators, driven by one thread, each with a safe state: off."""
