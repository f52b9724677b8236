"""A link that is down carries nothing, and what was sent meanwhile arrives when it is back."""

import os
import socket
import subprocess
import sys

import pytest

from tests.faults.namespace import Namespace, NoNamespace
from tests.support.processes import wait_for

SPEAK = """
import socket, sys, time
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as line:
    line.sendall(b"before")
    sys.stdin.readline()
    line.sendall(b" after")
    time.sleep(30)
"""


def test_what_is_sent_while_the_link_is_down_arrives_when_it_is_up_again():
    try:
        namespace = Namespace(f"faults-test-{os.getpid()}")
    except NoNamespace as error:
        pytest.skip(str(error))
    try:
        with namespace.listen(0) as listener:
            port = listener.getsockname()[1]
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5)  # it is another network than ours
            command = [*namespace.within, sys.executable, "-c", SPEAK, str(port)]
            with subprocess.Popen(command, stdin=subprocess.PIPE) as speaker:
                line, _ = listener.accept()
                received = bytearray(line.recv(100))
                namespace.link("down")
                speaker.stdin.write(b"\n")
                speaker.stdin.flush()
                line.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    line.recv(100)
                namespace.link("up")
                line.settimeout(10)
                wait_for("the rest arrives", lambda: received.extend(line.recv(100)) or received == b"before after")
                line.close()
                speaker.kill()
    finally:
        namespace.close()
