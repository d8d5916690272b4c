"""A name server on a free port of 127.0.0.1 that answers what a test tells it to, over UDP. Names that it does not know don't
exist; those below `failing` are answered with SERVFAIL."""

import socket
import struct
import threading

A, PTR, MX, TXT, AAAA = 1, 12, 15, 16, 28
NXDOMAIN, SERVFAIL = 3, 2


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def address(text):
    return socket.inet_aton(text)


def exchange(preference, host):
    return struct.pack("!H", preference) + name(host)


def text(words):
    return b"".join(bytes([len(word)]) + word.encode() for word in words)


class NameServer:
    def __init__(self, records=(), failing=()):
        self.records = {}  # (name, type) -> list of record data
        self.failing = tuple(failing)
        self.asked = []
        for owner, kind, data in records:
            self.records.setdefault((owner, kind), []).append(data)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.place = f"127.0.0.1@{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), client)
            except OSError:
                return

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
            at += 1 + query[at]
        question = query[12:at + 5]
        asked, kind = ".".join(labels), struct.unpack_from("!H", query, at + 1)[0]
        self.asked.append((asked, kind))
        found = self.records.get((asked, kind), [])
        status = 0
        if any(asked == zone or asked.endswith("." + zone) for zone in self.failing):
            status = SERVFAIL
        elif not found and not any(owner == asked or owner.endswith("." + asked) for owner, _ in self.records):
            status = NXDOMAIN
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | status, 1, len(found), 0, 0)
        return head + question + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for data in found)

    def close(self):
        self.socket.close()
