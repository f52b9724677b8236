"""The fault programme: real processes, real faults, and the five zeros.

`make faults` runs the long form; `make test` a short one. A *generator* (an agent with a journal: the product's own
code, composed by its own root) runs against a real relay through a TCP proxy. While faults are injected, the journal
is written in the parent process, outside of everything that is killed, frozen or filled. When all is quiet, journal and
database are compared. Each count must be 0:

    acked but not stored            the agent forgot an event that the relay does not have
    stored but never generated      the relay has an event that no agent made
    duplicate keys                  one key stored twice, or given away twice
    hash mismatch                   stored other than it was made
    missing without a drop record   an id that is neither stored nor declared lost

Corruption of the relay's own database is the exception, as no second copy exists after the ack: there the demand is
detected, located, counted, service restored, the rest intact.
"""
