"""Care from afar: settings, log level, restart and diagnostics of this agent, asked for through the relay."""
