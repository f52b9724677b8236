"""Store and forward: events on disk, kept until the relay has stored them.

A round is durable when its commit returns, at most 1 s after sampling, and is never sent earlier. Its key is (stream,
id): the stream is a random name made with the file, the id is gapless and allocated in the transaction of its row.

What happens when there is too much:

| event | when the file is full, or the event too old | when it cannot be sent |
|---|---|---|
| samples, state changes, motion, training | the oldest are dropped, on record | dead letter, on record |
| drop records | never dropped | dead letter |

A drop record is an event of the contract: it goes through the outbox itself, so the relay learns of every gap.
"""
