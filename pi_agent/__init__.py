"""The edge process: reads sensors, drives accessories, keeps what it measured until the relay has stored it."""
