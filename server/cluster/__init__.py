"""More than one process: one worker decides, the others carry connections for it.

The *primary* is the worker that holds the database's writer lock. It runs everything that a single relay runs. Every
other worker is a *carrier*: it holds connections of pages, devices and programs, passes on what they send, and writes
to them what the primary says; rooms are known to it, so that an event crosses once however many it goes to. When the
primary ends, the connections of all end with it, and the next one to get the lock goes on from the database: to
everybody it looks like a restart, which costs nobody anything.

`messages.py` is what they say to each other; `link.py` finds out that something was lost on the way; `queue.py` alone
knows Redis; `primary.py` and `carrier.py` are the two ends.
"""
