"""What users switch: behaviour over actuators, driven by one thread, each with a safe state of its own.

A command on its way through here: `Door.submit` (a library's thread) → `queue` (bounded; what is late or overtaken is
sorted out) → `journal` (the intent, on disk) → `station` (drive, then read back) → the sink (an answer through the
outbox; once that is on disk the journal notes it).
"""
