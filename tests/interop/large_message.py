"""A message of 50 MiB goes in and out while the daemon's memory grows by less than 8 MiB.

In over submission with STARTTLS and over IMAP APPEND, out over IMAPS and POP3S. The peak of resident memory is read from
the kernel after each step. Pages of the index and of segments that are mapped from files are the page cache's and can be
taken back at any time, so anonymous memory is what counts; its peak is sampled by a thread while the octets move. Each
client has logged in before: the 19 MiB that a password hash takes for a moment are no matter of the message.
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

    def send_file(self, path):
        with open(path, "rb") as file:
            while piece := file.read(65536):
                self.socket.sendall(piece)

    def close(self):
        self.lines.close()
        self.socket.close()


def submission(daemon):
    wire = Wire(daemon, "submission", [b"EHLO localhost\r\n", b"STARTTLS\r\n"])
    wire.command("EHLO localhost", rb"250 ")
    plain = base64.b64encode(f"\0{address('alice')}\0{PASSWORDS['alice']}".encode()).decode()
    wire.command("AUTH PLAIN " + plain, rb"235 ")
    return wire


def submit(wire, file):
    wire.command(f"MAIL FROM:<{address('alice')}> SIZE={file.stat().st_size}", rb"250 ")
    wire.command(f"RCPT TO:<{address('bob')}>", rb"250 ")
    wire.command("DATA", rb"354 ")
    wire.send_file(file)
    wire.socket.sendall(b".\r\n")
    wire.command("", rb"250 ")
    wire.command("QUIT", rb"221 ")
    wire.close()


def imap(daemon):
    wire = Wire(daemon, "imaps")
    wire.command(f'a LOGIN {address("bob")} "{PASSWORDS["bob"]}"', rb"a OK")
    return wire


def append(wire, file):
    wire.command(f"b APPEND Archive {{{file.stat().st_size}}}", rb"\+")
    wire.send_file(file)
    wire.socket.sendall(b"\r\n")  # the end of the command, behind its literal
    wire.command("", rb"b OK")
    wire.close()


def fetch(wire, mailbox, file_size):
    """Digest of the last octets of the first message, as many as the file has."""
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


def pop3(daemon):
    client = poplib.POP3_SSL("127.0.0.1", daemon.ports["pop3s"], context=daemon.client_tls(), timeout=120)
    client.user(address("bob"))
    client.pass_(PASSWORDS["bob"])
    return client


def retrieve(client, file_size):
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
        imap(daemon).close()  # what every daemon pays once, for its first session of a kind, is no growth
        pop3(daemon).quit()
        submission(daemon).close()
        before = daemon.memory_kb()["RssAnon"]
        failures = []
        steps = (("in over submission", submission, lambda wire: submit(wire, file)),
                 ("in over APPEND", imap, lambda wire: append(wire, file)),
                 ("out of INBOX over IMAPS", imap, lambda wire: fetch(wire, "INBOX", size)),
                 ("out of Archive over IMAPS", imap, lambda wire: fetch(wire, "Archive", size)),
                 ("out over POP3S", pop3, lambda client: retrieve(client, size)))
        for name, log_in, step in steps:
            client = log_in(daemon)
            with Sampler(daemon) as sampler:
                got = step(client)
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


if __name__ == "__main__":
    sys.exit(main())
