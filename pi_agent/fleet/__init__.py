"""Many agents in one process, for sizing a relay and for trying out what happens on bad days.

Each is the agent as it runs on a Pi, with its own outbox, journal and history on disk, over simulated parts. They share
threads: a crew does the work of all loops (`crew.py`), one schedule starts all jobs, one thread reads all connections.
"""
