"""A client of the relay for programs of one's own: `pip install breathlight "python-socketio[client]"`.

    with Client("http://127.0.0.1:5000") as relay:
        for event in relay.events(): ...

See docs/client-python.md.
"""

from shared.client.client import Client, Event
from shared.client.commands import Asked
from shared.client.history import Gap, History, Point

__all__ = ["Asked", "Client", "Event", "Gap", "History", "Point"]
