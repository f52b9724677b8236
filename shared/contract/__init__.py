"""The wire contract: what an event is (`spec`), every event once (`events`), every body (`payloads`)."""

CONTRACT_VERSION = "1.0"
"""Sent by both sides when they connect. The first number changes only when an old program would break."""
