"""A message of 50 MiB goes in and out while the daemon's memory grows by less than 8 MiB.

In over submission with STARTTLS and over IMAP APPEND, out over IMAPS and POP3S. The peak of resident memory is read from
the kernel after each step. Pages of the index and of segments that are mapped from files are the page cache's and can be
taken back at any time, so anonymous memory is what counts; its peak is sampled by a thread while the octets move.
"""

import base64
import hashlib
import poplib
import re
import socket
import sys
import threading

import harness
from harness import PASSWORDS, address

SIZE = 50 * 1024 * 1024
GROWTH_LIMIT_KB = 8 * 1024


def make_message(target):
    """Writes the message to a file in pieces; returns its size and digest."""
    digest, written = hashlib.sha256(), 0
    line = (b"x" * 76 + b"\r\n") * 840
    with open(target, "wb") as file:
        for piece in [f"From: {address('alice')}\r\nTo: {address('bob')}\r\nSubject: large\r\nMessage-ID: <large@example.org>\r\n\r\n".encode()] + \
                [line] * ((SIZE - 2000) // len(line)):
            file.write(piece)
            digest.update(piece)
            written += len(piece)
    return written, digest.hexdigest()


class Sampler(threading.Thread):
    """The highest anonymous memory of a process while it runs."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_under_test, self.peak, self.ended = daemon, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.005):
            self.peak = max(self.peak, self.daemon_under_test.memory_kb()["RssAnon"])

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


class Wire:
    """A TLS connection that is read and written in pieces."""

    def __init__(self, daemon, kind, starttls=None):
        raw = socket.create_connection(("127.0.0.1", daemon.ports[kind]), timeout=120)
        if starttls:
            for line in starttls:
                raw.recv(4096)
                raw.sendall(line)
            raw.recv(4096)
        self.socket = daemon.client_tls().wrap_socket(raw, server_hostname="localhost")
        self.lines = self.socket.makefile("rb")

    def command(self, line, until):
        if line:
            self.socket.sendall(line.encode() + b"\r\n")
        while True:
            answer = self.lines.readline()
            if not answer:
                raise harness.Failure(f"the connection ended after {line[:20]}")
            if re.match(until, answer):
                return answer

    def send_file(self, path, stuffed):
        with open(path, "rb") as file:
            while piece := file.read(65536):
                self.socket.sendall(piece)
        if stuffed:
            self.socket.sendall(b".\r\n")

    def close(self):
        self.lines.close()
        self.socket.close()


def submit(daemon, file):
    wire = Wire(daemon, "submission", [b"EHLO localhost\r\n", b"STARTTLS\r\n"])
    wire.command("EHLO localhost", rb"250 ")
    plain = base64.b64encode(f"\0{address('alice')}\0{PASSWORDS['alice']}".encode()).decode()
    wire.command("AUTH PLAIN " + plain, rb"235 ")
    wire.command(f"MAIL FROM:<{address('alice')}> SIZE={file.stat().st_size}", rb"250 ")
    wire.command(f"RCPT TO:<{address('bob')}>", rb"250 ")
    wire.command("DATA", rb"354 ")
    wire.send_file(file, stuffed=True)
    wire.command("", rb"250 ")
    wire.command("QUIT", rb"221 ")
    wire.close()


def imap(daemon):
    wire = Wire(daemon, "imaps")
    wire.command(f'a LOGIN {address("bob")} "{PASSWORDS["bob"]}"', rb"a OK")
    return wire


def append(daemon, file):
    wire = imap(daemon)
    wire.command(f"b APPEND Archive {{{file.stat().st_size}}}", rb"\+")
    wire.send_file(file, stuffed=False)
    wire.command("", rb"b OK")
    wire.close()


def fetch(daemon, mailbox, file_size):
    """Digest of the last octets of the first message, as many as the file has."""
    wire = imap(daemon)
    wire.command(f"c SELECT {mailbox}", rb"c OK")
    answer = wire.command("d FETCH 1 (BODY.PEEK[])", rb"\* 1 FETCH")
    left = int(re.search(rb"\{(\d+)\}", answer).group(1))
    left_out, digest = left - file_size, hashlib.sha256()
    while left:
        piece = wire.lines.read(min(left, 65536))
        left -= len(piece)
        digest.update(piece[left_out:] if left_out > 0 else piece)
        left_out -= min(left_out, len(piece)) if left_out > 0 else 0
    wire.command("", rb"d OK")
    wire.close()
    return digest.hexdigest()


def retrieve(daemon, file_size):
    client = poplib.POP3_SSL("127.0.0.1", daemon.ports["pop3s"], context=daemon.client_tls(), timeout=120)
    client.user(address("bob"))
    client.pass_(PASSWORDS["bob"])
    octets = b"\r\n".join(client.retr(1)[1]) + b"\r\n"
    client.quit()
    return hashlib.sha256(octets[-file_size:]).hexdigest()


def main():
    if harness.sanitized():
        print("SKIPPED: a sanitizer's own memory hides the daemon's; needs a daemon without (MERPATI_RELEASE_DAEMON)")
        return harness.SKIPPED
    with harness.running() as daemon:
        file = daemon.folder / "large.eml"
        size, digest = make_message(file)
        imap(daemon).close()  # what every daemon pays once, the password hash for instance, is no growth
        retrieve_small(daemon)
        before = daemon.memory_kb()["RssAnon"]
        failures = []
        steps = (("in over submission", lambda: submit(daemon, file)), ("in over APPEND", lambda: append(daemon, file)),
                 ("out of INBOX over IMAPS", lambda: fetch(daemon, "INBOX", size)),
                 ("out of Archive over IMAPS", lambda: fetch(daemon, "Archive", size)),
                 ("out over POP3S", lambda: retrieve(daemon, size)))
        for name, step in steps:
            with Sampler(daemon) as sampler:
                got = step()
            growth = sampler.peak - before
            print(f"{name}: {size >> 20} MiB, anonymous memory at most {sampler.peak} kB, growth {growth} kB")
            if got is not None and got != digest:
                failures.append(f"{name}: the octets are not those that went in")
            if growth >= GROWTH_LIMIT_KB:
                failures.append(f"{name}: memory grew by {growth} kB")
        print(f"peak of all resident memory: {daemon.memory_kb()['VmHWM']} kB")
        for failure in failures:
            print("FAILED: " + failure)
        return 1 if failures else 0


def retrieve_small(daemon):
    """Logs in once through each of the doors that the test uses."""
    client = poplib.POP3_SSL("127.0.0.1", daemon.ports["pop3s"], context=daemon.client_tls(), timeout=120)
    client.user(address("bob"))
    client.pass_(PASSWORDS["bob"])
    client.quit()


if __name__ == "__main__":
    sys.exit(main())
