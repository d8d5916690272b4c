"""What starting either server needs: ports, certificates, waiting, stopping."""

import signal
import socket
import subprocess
import time

DOMAIN = "bench.example"
PASSWORD = "bench-password"


class BenchError(Exception):
    """A reason why the measurement can't be taken, in a sentence for people."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder):
    """cert.pem and key.pem (ECDSA P-256, as certificate authorities hand out today) in a folder."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "30",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_port(port, process, limit_s=20):
    """Until a server greets on a port; BenchError when its process ends or time is up."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"the server ended with status {process.returncode} while starting")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(1):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise BenchError(f"nothing answers on port {port}")


def stop_process(process, limit_s=15):
    """SIGTERM, then SIGKILL when that isn't heeded in time; the latter is worth a word."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"process {process.pid} did not stop in {limit_s} s and was killed", flush=True)
        process.kill()
        process.wait()
