"""What the agent and the relay both know: the contract, the wire, the clock, errors and logs."""

VERSION = "0.1.0"
