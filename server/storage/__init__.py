"""The relay's memory: everything that devices send, once, in SQLite or PostgreSQL.

How its parts are used (each call blocks the calling greenlet alone; all SQL runs in native threads):

    mend(path, clock)                                # SQLite: out of a file that was found damaged
    database = Database.open("sqlite:////var/lib/breathlight/relay.db")          # migrates forward
    recorder = Recorder.start(database, clock)       # the one writer of the log; `serve` alone has it

    ticket = recorder.offer(event)      # Refusal: queue_full, unavailable, invalid_payload
    ticket.fresh                        # True: not a resend, so it may be shown at once
    ticket.wait() -> Stored             # after COMMIT; or ticket.then(callback), for a caller without a greenlet
    recorder.submit(event) -> Stored    # offer and wait
    recorder.seen(device, stream, id) -> bool
    recorder.cursor -> int              # the last committed one
    recorder.healthy() -> bool          # and tries again, when it was not
    recorder.tick()                     # every few seconds: settles a quiet relay
    recorder.introduce(device, info)    # a device connected and said this of itself
    recorder.close()                    # commits what waits

    history = History(database, clock, settle=recorder.settle)
    history.readings(device, quantity, from_ms, to_ms, points) -> Chart   # points and known gaps
    history.export(device, quantities, from_ms, to_ms, ExportFormat.CSV) -> Iterator[bytes]
    history.replay(since, limit) -> list[LoggedEvent]     # Refusal: replay_incomplete
    history.latest_state() -> State
    history.devices() -> list[Device]
    history.completeness(device) -> list[StreamLedger]

    tokens = Tokens(database, clock)
    tokens.add(name, role) -> str       # the plain token, this once
    tokens.find(plain) -> Token | None
    tokens.list() / tokens.revoke(name)

    Retention(database, clock, policy, settle).run(progress) -> Pruned
    disk_space(database, policy.max_bytes) -> DiskSpace
    back_up(database, target, progress) -> Backup    # while the relay runs; verified by restoring it
    restore(backup, url, progress) -> Counts         # while it does not
    examine(database, progress) -> Report            # every row
    salvage(source, target, progress) -> Salvaged

The native threads must win the interpreter lock from a busy hub: `sys.setswitchinterval(0.0005)` where it serves.
"""
