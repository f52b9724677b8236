"""`pi-relay contract check`: is what answers at an address a relay, as the contract has it? From outside alone.

It speaks Socket.IO on a raw websocket and HTTP, and knows of the relay only what it answers.
"""
