#!/usr/bin/env python3
"""How IMAP and POP3 commands grow with the mailbox: 1,000, 10,000 and 100,000 messages, one command at a time, warm.

    imap_scale.py [--sizes N,N,...] [--daemon build/release/merpati] [--work-dir FOLDER] [--check]

The client is a socket that takes octets and looks for the tagged line, nothing more. Prints a table of milliseconds and what is
beyond its bound: SELECT, the ratio of FETCH FLAGS to the same octets from a buffer over loopback, growth between sizes.
Exit status: 0 measured, 2 measured and beyond a bound (with --check only)."""

import argparse
import json
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from merpati_server import CONFIG, MerpatiServer  # noqa: E402
from server_support import DOMAIN, PASSWORD, BenchError  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2]
POP3 = '\n[[listener]]\nkind = "pop3"\naddress = "127.0.0.1"\nport = 0\nplaintext_login = true\n'
BATCH = 200  # messages of one MULTIAPPEND-free pipelined burst: keeps both ends busy, and neither's buffers full
SELECT_MS = 50
FLAGS_RATIO = 3
GROWTH = 20  # times for ten times the messages: linear has room for caches that no longer hold it, quadratic is 100
FLOOR_MS = 5  # what takes less at the smaller size is too short to be judged by its growth
ROUNDS = 3


class Wire:
    """A connection that sends commands and takes octets until a line begins with the tag."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 20)
        self.count = 0

    def until(self, ends):
        """Octets taken until what came last satisfies `ends`; only the last 4 KiB are looked at."""
        tail, octets = b"", 0
        view = memoryview(self.buffer)
        while True:
            got = self.socket.recv_into(self.buffer)
            if not got:
                raise BenchError(f"the server closed the connection after {tail[-300:]!r}")
            octets += got
            tail = (tail + bytes(view[max(0, got - 4096):got]))[-4096:]
            if ends(tail):
                return octets, tail

    def run(self, command):
        """(seconds, octets of the answer, its tail); the tagged answer must be OK."""
        self.count += 1
        tag = b"a%d " % self.count
        begin = time.perf_counter()
        self.socket.sendall(tag + command.encode() + b"\r\n")

        def ends(tail):
            return tail.endswith(b"\r\n") and tail[tail.rfind(b"\r\n", 0, -2) + 2:].startswith(tag) or tail.startswith(tag)

        octets, tail = self.until(ends)
        took = time.perf_counter() - begin
        if tail[tail.rfind(b"\r\n", 0, -2) + 2 if tail.count(b"\r\n") > 1 else 0:][len(tag):len(tag) + 2] != b"OK":
            raise BenchError(f"{command}: {tail[-300:]!r}")
        return took, octets, tail


def imap(server):
    wire = Wire(server.imap_port)
    wire.until(lambda tail: tail.endswith(b"\r\n"))
    wire.run(f"LOGIN {USER} {PASSWORD}")
    return wire


USER = f"scale@{DOMAIN}"


def sample(number):
    """A small message; every tenth answers the one before, subjects repeat, dates go up and down."""
    answers = f"In-Reply-To: <m{number - 1}@bench.example>\r\nReferences: <m{number - 1}@bench.example>\r\n" if number % 10 else ""
    day, hour = 1 + number * 7 % 28, number * 11 % 24
    return (f"From: Sender {number % 97} <sender{number % 97}@bench.example>\r\nTo: Scale <{USER}>\r\n"
            f"Subject: {'Re: ' if number % 10 else ''}subject {number // 10 % 5000}\r\nDate: {day} Nov 2026 {hour:02}:00:00 +0000\r\n"
            f"Message-ID: <m{number}@bench.example>\r\n{answers}\r\nThe body of message {number}.\r\n").encode()


def fill(server, mailbox, count):
    wire = imap(server)
    wire.run(f"CREATE {mailbox}")
    for first in range(0, count, BATCH):
        last = min(first + BATCH, count)
        burst = []
        for number in range(first, last):
            text = sample(number)
            burst.append(b"f%d APPEND %s (%s) {%d+}\r\n%s\r\n" % (number, mailbox.encode(), b"\\Seen" if number % 3 else b"", len(text), text))
        sender = threading.Thread(target=wire.socket.sendall, args=(b"".join(burst),))
        sender.start()
        final = b"\r\nf%d OK" % (last - 1)
        wire.until(lambda tail: (b"\r\n" + tail).rfind(final) >= 0 and tail.endswith(b"\r\n"))
        sender.join()


def loopback_ms(octets):
    """The same number of octets from a buffer of another thread over a connection like the server's."""
    block = bytes(octets)
    best = float("inf")
    for _ in range(ROUNDS + 2):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            wire = Wire(listener.getsockname()[1])
            far, _ = listener.accept()

            def serve():
                far.recv(1)
                far.sendall(block)

            thread = threading.Thread(target=serve)
            thread.start()
            begin = time.perf_counter()
            wire.socket.sendall(b"x")
            left = octets
            while left:
                left -= wire.socket.recv_into(wire.buffer)
            best = min(best, time.perf_counter() - begin)
            thread.join()
            far.close()
            wire.socket.close()
    return best * 1000


def best_of(wire, command, rounds=ROUNDS):
    taken = [wire.run(command) for _ in range(rounds)]
    return min(took for took, _, _ in taken) * 1000, taken[-1][1]


def state_of(wire, mailbox):
    """UIDVALIDITY and HIGHESTMODSEQ, as STATUS tells."""
    _, _, tail = wire.run(f"STATUS {mailbox} (UIDVALIDITY HIGHESTMODSEQ)")
    words = tail.decode().partition("(")[2].partition(")")[0].split()
    return dict(zip(words[::2], map(int, words[1::2])))


READS = [("FETCH ENVELOPE", "FETCH 1:* (ENVELOPE)"), ("FETCH BODYSTRUCTURE", "FETCH 1:* (BODYSTRUCTURE)"),
         ("UID FETCH UID MODSEQ", "UID FETCH 1:* (FLAGS MODSEQ)"),
         ("SEARCH ALL", "SEARCH ALL"), ("SEARCH UNSEEN", "SEARCH UNSEEN"), ("SEARCH SUBJECT", 'SEARCH SUBJECT "subject 77"'),
         ("SEARCH FROM", "SEARCH FROM sender5@"), ("SEARCH SENTSINCE", "SEARCH SENTSINCE 15-Nov-2026"),
         ("SEARCH OR NOT", "SEARCH OR SEEN NOT LARGER 300"), ("SEARCH UID set", "SEARCH UID {odd}"), ("SEARCH BODY", 'SEARCH BODY "message 999."'),
         ("ESEARCH MIN MAX COUNT", "SEARCH RETURN (MIN MAX COUNT) UNSEEN"), ("ESEARCH ALL", "SEARCH RETURN (ALL) UNSEEN"),
         ("SORT SUBJECT", "SORT (SUBJECT) UTF-8 ALL"), ("SORT REVERSE DATE FROM", "SORT (REVERSE DATE FROM) UTF-8 ALL"),
         ("THREAD REFERENCES", "THREAD REFERENCES UTF-8 ALL"), ("THREAD ORDEREDSUBJECT", "THREAD ORDEREDSUBJECT UTF-8 ALL")]


def measure(server, count, say):
    mailbox = f"box{count}"
    begin = time.perf_counter()
    fill(server, mailbox, count)
    say(f"{count} messages in {time.perf_counter() - begin:.1f} s")
    wire, other = imap(server), imap(server)
    figures = {}
    wire.run(f"SELECT {mailbox}")
    taken = []
    for _ in range(ROUNDS):
        wire.run("UNSELECT")
        taken.append(wire.run(f"SELECT {mailbox}")[0] * 1000)
    figures["SELECT"] = min(taken)
    figures["STATUS"], _ = best_of(other, f"STATUS {mailbox} (MESSAGES UNSEEN UIDNEXT SIZE)")
    figures["FETCH FLAGS"], octets = best_of(wire, "FETCH 1:* (FLAGS)", ROUNDS + 2)
    figures["(same octets, loopback)"] = loopback_ms(octets)
    figures["(ratio)"] = figures["FETCH FLAGS"] / figures["(same octets, loopback)"]
    odd = ",".join(map(str, range(1, min(count, 1400), 2)))
    for name, command in READS:
        figures[name], _ = best_of(wire, command.format(odd=odd))
    other.run("ENABLE QRESYNC")
    was = state_of(other, mailbox)
    figures["STORE of all"], _ = best_of(wire, "STORE 1:* +FLAGS.SILENT (\\Flagged)", 1)
    resync = f"SELECT {mailbox} (QRESYNC ({was['UIDVALIDITY']} {was['HIGHESTMODSEQ']} 1:{count}))"
    figures["QRESYNC, all changed"], _ = best_of(other, resync, 1)
    other.run("UNSELECT")
    now = state_of(other, mailbox)
    figures["QRESYNC, none changed"], _ = best_of(
        other, f"SELECT {mailbox} (QRESYNC ({now['UIDVALIDITY']} {now['HIGHESTMODSEQ']} 1:{count}))", 1)
    other.run("UNSELECT")
    wire.run(f"CREATE copy{count}")
    figures["COPY of all"], _ = best_of(wire, f"COPY 1:* copy{count}", 1)
    wire.run(f"SELECT copy{count}")
    wire.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    now = state_of(other, f"copy{count}")
    figures["EXPUNGE of all"], _ = best_of(wire, "EXPUNGE", 1)
    figures["QRESYNC, all gone"], _ = best_of(
        other, f"SELECT copy{count} (QRESYNC ({now['UIDVALIDITY']} {now['HIGHESTMODSEQ']} 1:{count}))", 1)
    wire.run("UNSELECT")
    figures.update(measure_pop3(server, mailbox, wire))
    return figures


def measure_pop3(server, mailbox, wire):
    """POP3 sees INBOX: the messages are moved there for it, and away again."""
    wire.run(f"SELECT {mailbox}")
    took, _, _ = wire.run("MOVE 1:* INBOX")
    wire.run("UNSELECT")
    listeners = json.loads((server.root / "data" / "run" / "ports.json").read_text())["listeners"]
    pop = Wire(next(each["port"] for each in listeners if each["kind"] == "pop3"))
    pop.until(lambda tail: tail.endswith(b"\r\n"))
    figures = {"MOVE of all": took * 1000}

    def say(line, end):
        begin = time.perf_counter()
        pop.socket.sendall(line.encode() + b"\r\n")
        _, tail = pop.until(lambda tail: tail.endswith(end) or tail.startswith(b"-ERR"))
        if tail.startswith(b"-ERR"):
            raise BenchError(f"{line}: {tail!r}")
        return (time.perf_counter() - begin) * 1000

    say(f"USER {USER}", b"\r\n")
    figures["POP3 PASS (with a password hash)"] = say(f"PASS {PASSWORD}", b"\r\n")
    for line in ("UIDL", "LIST"):
        figures[f"POP3 {line}"] = min(say(line, b"\r\n.\r\n") for _ in range(ROUNDS))
    say("QUIT", b"\r\n")
    wire.run("SELECT INBOX")
    wire.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    wire.run("CLOSE")
    return figures


def judge(results):
    """Sentences on what is beyond its bound."""
    found = []
    for count, figures in results.items():
        if figures["SELECT"] > SELECT_MS:
            found.append(f"SELECT of {count} messages took {figures['SELECT']:.1f} ms, more than {SELECT_MS}")
        # A short answer's time is that of the wake-ups, on both sides.
        if figures["(same octets, loopback)"] > 0.5 and figures["(ratio)"] > FLAGS_RATIO:
            found.append(f"FETCH FLAGS of {count} messages took {figures['(ratio)']:.1f} times what its octets do, more than {FLAGS_RATIO}")
    sizes = sorted(results)
    for small, large in zip(sizes, sizes[1:]):
        for name, took in results[large].items():
            bound = GROWTH * large / small / 10 * max(results[small][name], FLOOR_MS)
            if not name.startswith("(") and took > bound:
                found.append(f"{name}: {results[small][name]:.1f} ms for {small} messages, {took:.1f} ms for {large}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--daemon", type=Path, default=SOURCE / "build" / "release" / "merpati")
    parser.add_argument("--work-dir", type=Path, help="the server's folder: the disk measured (a temporary one otherwise)")
    parser.add_argument("--check", action="store_true", help="exit status 2 when something is beyond its bound")
    options = parser.parse_args()

    def say(text):
        print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)

    results = {}
    with tempfile.TemporaryDirectory(prefix="merpati-scale-") as folder:
        server = MerpatiServer((options.work_dir or Path(folder)) / "scale", options.daemon)
        server.prepare([USER])
        server.config.write_text(CONFIG.replace("[admin]", POP3 + "\n[admin]"))
        try:
            server.start()
            for count in sorted(map(int, options.sizes.split(","))):
                results[count] = measure(server, count, say)
        finally:
            server.stop()
    print(f"\n{'milliseconds':34}" + "".join(f"{count:>12,}" for count in results))
    for name in next(iter(results.values())):
        print(f"{name:34}" + "".join(f"{figures[name]:12.2f}" for figures in results.values()))
    beyond = judge(results)
    print("\n" + ("\n".join("BEYOND: " + each for each in beyond) or "everything is within its bounds"))
    return 2 if options.check and beyond else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as problem:
        print(f"imap_scale: {problem}", file=sys.stderr)
        sys.exit(1)
