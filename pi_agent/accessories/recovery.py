"""What a process before has left: intents whose answers are on disk already need no other one."""

from pi_agent.accessories.journal import Journal, Outcome
from pi_agent.outbox.outbox import Outbox
from shared.contract.events import ACCESSORIES, FURTHER
from shared.errors import Code

_NAMES = {events.status.name: name for name, events in ACCESSORIES.items()}


def reconcile(journal: Journal, outbox: Outbox) -> None:
    """Note in `journal` the answers that `outbox` holds. Before either is used: an answer leaves the outbox only later.

    An answer is noted between the commit that keeps it and the next one, and only a later commit forgets it. So what
    is neither noted nor in the outbox was never given.
    """
    wanted = {(intent.id, intent.accessory) for intent in journal.unanswered()}
    if not wanted:
        return
    found = []
    for event, body in outbox.kept({*_NAMES, FURTHER.status.name}):
        key = (body.get("command"), _NAMES.get(event) or body.get("accessory"))
        if key in wanted:
            wanted.discard(key)
            fault = body.get("fault")
            found.append(Outcome(*key, body["status"], Code(fault["code"]) if fault else None))
        if not wanted:
            break
    journal.finish(found)
