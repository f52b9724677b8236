"""Parts: what is read (`Sensor`, `Watcher`) and what is driven (`Light`), real, simulated or replayed."""
