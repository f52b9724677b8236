"""`pi-relay`, also as `python -m server`."""

import sys


def main() -> None:
    """Run the command line. Only the serving process is patched for gevent, and before anything else is imported."""
    if "serve" in sys.argv[1:2]:
        from gevent import monkey

        monkey.patch_all()
        # The hub never waits, so it gives the interpreter lock up only when it is asked to. By default the thread that
        # commits would ask ten times less often, and every ack waits for it.
        sys.setswitchinterval(0.0005)
    from server.cli import app

    app()


if __name__ == "__main__":
    main()
