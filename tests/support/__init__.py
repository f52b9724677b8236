"""What several tests need: a clock that stands still, builders, real processes, the fault proxy."""
