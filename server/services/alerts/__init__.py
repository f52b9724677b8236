"""Alerts: rules over what devices measure and are, and what is done when one is broken."""
