"""SMTP line by line, for tests that say what no client library would."""

import socket


class Talk:
    """A client that says lines and reads replies."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(60)
        self.file = connected.makefile("rb")

    @classmethod
    def connect(cls, test, port):
        connected = socket.create_connection(("127.0.0.1", port), timeout=60)
        test.addCleanup(connected.close)
        return cls(connected)

    def send(self, octets):
        self.socket.sendall(octets)

    def reply(self):
        lines = []
        while True:
            line = self.file.readline().decode()
            if not line:
                return lines
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return lines

    def say(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def deliver(self, to, subject, verb="EHLO"):
        assert self.say(f"{verb} client.example.net")[0].startswith("250")
        self.say("MAIL FROM:<carol@example.net>")
        accepted = self.say(f"RCPT TO:<{to}>")
        assert accepted[0].startswith("250"), accepted
        self.say("DATA")
        return self.say(f"From: carol@example.net\r\nSubject: {subject}\r\n\r\nHello\r\n.")
