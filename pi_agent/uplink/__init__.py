"""The agent's connection to the relay, and the only owner of a Socket.IO client.

Up: durable events of the outbox, in order, in a window, and live statuses beside them. Down: commands, into a bounded
queue.
"""
