"""Commands that tell the truth: a durable ledger, one addressed command and one final result per device.

`service.py` is the path of a command; `entry.py` its states; `dispatch.py` what goes on the wire and what is sent
again; `ledger.py` what is open and on its way to the disk; `restart.py` and `records.py` what the disk knows.
"""

from server.services.commands.records import Record, Records
from server.services.commands.restart import Restart
from server.services.commands.service import Commands

__all__ = ["Commands", "Record", "Records", "Restart"]
