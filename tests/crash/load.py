"""Clients that put load on a daemon and write each step into a ledger until the daemon is gone or they are told to end."""

import imaplib
import random
import re
import smtplib
import threading

import harness
import ledger as ledgers

ENDS = (OSError, EOFError, smtplib.SMTPServerDisconnected, imaplib.IMAP4.abort)


class Client(threading.Thread):
    """One connection after the other; `step` does one unit of work on an open one."""

    def __init__(self, daemon, ledger, name, seed, stop):
        super().__init__(name=name, daemon=True)
        self.target, self.ledger, self.stop_asked = daemon, ledger, stop
        self.random = random.Random(seed)
        self.count = 0

    def token(self):
        self.count += 1
        return f"{self.name}-{self.count}"

    def size(self):
        """Mostly small, some that fill pages, now and then one that does not fit in memory limits of a session."""
        dice = self.random.random()
        if dice < 0.8:
            return self.random.randrange(10, 4000)
        return self.random.randrange(4000, 60_000) if dice < 0.985 else self.random.randrange(1_000_000, 3_000_000)

    def run(self):
        try:
            connection = self.connect()
            while not self.stop_asked.is_set():
                self.step(connection)
        except ENDS:
            pass
        except Exception as problem:  # an answer that no crash explains
            self.ledger.problems.append(f"{self.name}: {type(problem).__name__}: {problem}")


class SmtpClient(Client):
    def send(self, connection, recipients):
        token = self.token()
        octets = ledgers.compose(token, self.size(), "alice", recipients[0])
        connection.mail(harness.address("alice"))
        for recipient in recipients:
            code, text = connection.rcpt(harness.address(recipient))
            if code not in (250, 251):
                raise harness.Failure(f"RCPT {recipient}: {code} {text}")
        entry = self.ledger.note(ledgers.Entry(token, [(name, "INBOX") for name in recipients], self.way))
        try:
            code, text = connection.data(octets)
        except smtplib.SMTPDataError as refusal:
            code, text = refusal.smtp_code, refusal.smtp_error
        if code == 250:
            self.ledger.answered(entry.accept)
        elif code == 421:
            raise EOFError
        else:
            entry.refused = True
            raise harness.Failure(f"the message was refused: {code} {text}")

    def step(self, connection):
        self.send(connection, self.random.choice((["alice"], ["bob"], ["alice", "bob"])))


class MxClient(SmtpClient):
    way = "mx"

    def connect(self):
        connection = smtplib.SMTP("127.0.0.1", self.target.ports["smtp"], "localhost", timeout=60)
        connection.ehlo()
        return connection


class SubmissionClient(SmtpClient):
    way = "submission"

    def connect(self):
        connection = smtplib.SMTP("127.0.0.1", self.target.ports["submission"], "localhost", timeout=60)
        connection.starttls(context=self.target.client_tls())
        connection.login(harness.address("alice"), harness.PASSWORDS["alice"])
        return connection


class ImapClient(Client):
    user = "alice"

    def connect(self):
        connection = imaplib.IMAP4_SSL("127.0.0.1", self.target.ports["imaps"], timeout=60,
                                       ssl_context=self.target.client_tls())
        connection.login(harness.address(self.user), harness.PASSWORDS[self.user])
        return connection

    @staticmethod
    def checked(answer):
        status, data = answer
        if status != "OK":
            raise EOFError if status == "BYE" else harness.Failure(f"{status} {data}")
        return data

    def append(self, connection, mailbox):
        entry = ledgers.Entry(self.token(), [(self.user, mailbox)], "append")
        octets = ledgers.compose(entry.token, self.size(), "alice", "alice")
        self.ledger.note(entry)
        data = self.checked(connection.append(mailbox, None, None, octets))
        told = re.search(rb"\[APPENDUID (\d+) (\d+)\]", data[0])
        if not told:
            raise harness.Failure(f"no APPENDUID: {data}")
        entry.uid = int(told.group(1)), int(told.group(2))
        self.ledger.answered(entry.accept)
        return entry


class AppendClient(ImapClient):
    """Appends and flags."""

    def connect(self):
        connection = super().connect()
        self.checked(connection.select("Drafts"))
        return connection

    def step(self, connection):
        entry = self.append(connection, "Drafts")
        if self.random.random() < 0.5:
            entry.flag.asked = self.ledger.mark()
            self.checked(connection.uid("STORE", str(entry.uid[1]), "+FLAGS.SILENT", r"(\Flagged)"))
            self.ledger.answered(entry.flag)


class MoveClient(ImapClient):
    """Appends to one mailbox and moves to another."""

    def connect(self):
        connection = super().connect()
        self.checked(connection.select("Sent"))
        return connection

    def step(self, connection):
        entry = self.append(connection, "Sent")
        entry.move_to = (self.user, "Archive")
        entry.move.asked = self.ledger.mark()
        self.checked(connection.uid("MOVE", str(entry.uid[1]), "Archive"))
        self.ledger.answered(entry.move)


class ExpungeClient(ImapClient):
    """Appends and removes for good."""

    user = "bob"

    def connect(self):
        connection = super().connect()
        self.checked(connection.select("Trash"))
        return connection

    def step(self, connection):
        entry = self.append(connection, "Trash")
        if self.random.random() < 0.7:
            uid = str(entry.uid[1])
            self.checked(connection.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
            entry.expunge.asked = self.ledger.mark()
            self.checked(connection.uid("EXPUNGE", uid))
            self.ledger.answered(entry.expunge)


CREW = (MxClient, MxClient, SubmissionClient, AppendClient, AppendClient, MoveClient, ExpungeClient)


class Load:
    """A crew of clients under way."""

    def __init__(self, daemon, ledger, name, seed):
        self.stop_asked = threading.Event()
        self.clients = [kind(daemon, ledger, f"{name}-{kind.__name__}{number}", f"{seed}-{number}", self.stop_asked)
                        for number, kind in enumerate(CREW)]
        for client in self.clients:
            client.start()

    def join(self):
        self.stop_asked.set()
        for client in self.clients:
            client.join(120)
            if client.is_alive():
                raise harness.Failure(f"{client.name} hangs although the daemon is gone")
