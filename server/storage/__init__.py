"""The relay's memory: everything that devices send, once, in SQLite or PostgreSQL.

How its parts are used (each call blocks the calling greenlet alone; all SQL runs in native threads):

    database = Database.open("sqlite:////var/lib/breathlight/relay.db", clock)   # migrates forward
    recorder = Recorder.start(database, clock)       # the one writer of the log; `serve` alone has it

    ticket = recorder.offer(event)      # Refusal: queue_full, unavailable, invalid_payload
    ticket.fresh                        # True: not a resend, so it may be shown at once
    ticket.wait() -> Stored             # after COMMIT; or ticket.then(callback), for a caller without a greenlet
    recorder.submit(event) -> Stored    # offer and wait
    recorder.seen(device, stream, id) -> bool
    recorder.cursor -> int              # the last committed one
    recorder.introduce(device, info)    # a device connected and said this of itself
    recorder.close()                    # commits what waits

    history = History(database, clock, settle=recorder.settle)
    history.readings(device, quantity, from_ms, to_ms, points) -> Chart
    history.export(device, quantities, from_ms, to_ms, ExportFormat.CSV) -> Iterator[bytes]
    history.replay(since, limit) -> list[LoggedEvent]     # Refusal: replay_incomplete
    history.latest_state() -> State
    history.devices() -> list[Device]
    history.completeness(device) -> list[StreamLedger]

    tokens = Tokens(database, clock)
    tokens.add(name, role) -> str       # the plain token, this once
    tokens.find(plain) -> Token | None
    tokens.list() / tokens.revoke(name)

    Retention(database, clock, policy, settle).run(progress)
    disk_space(database, policy) -> DiskSpace
    back_up(database, target, progress) / restore(backup, url, progress)
    examine(database, progress) -> Report
    salvage(source, target, progress) -> Salvaged
"""
