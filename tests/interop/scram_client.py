"""The client's side of SCRAM-SHA-256 (RFC 5802, 7677) by hand, with and without channel binding (tls-server-end-point, RFC 5929).
Messages are in base64, as text protocols carry them."""

import base64
import hashlib
import hmac
import os


def sign(key, data):
    return hmac.digest(key, data, "sha256")


class Exchange:
    def __init__(self, user, password, binding=None):
        self.mechanism = "SCRAM-SHA-256" + ("-PLUS" if binding else "")
        self.password, self.binding = password, binding or b""
        self.header = b"p=tls-server-end-point,," if binding else b"n,,"
        self.bare = b"n=" + user.encode() + b",r=" + base64.b64encode(os.urandom(18))
        self.server_proof = None

    def first(self):
        return base64.b64encode(self.header + self.bare).decode()

    def proof(self, challenge):
        message = base64.b64decode(challenge)
        fields = dict(part.split(b"=", 1) for part in message.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        without_proof = b"c=" + base64.b64encode(self.header + self.binding) + b",r=" + fields[b"r"]
        signed = self.bare + b"," + message + b"," + without_proof
        key = sign(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, sign(hashlib.sha256(key).digest(), signed)))
        self.server_proof = b"v=" + base64.b64encode(sign(sign(salted, b"Server Key"), signed))
        return base64.b64encode(without_proof + b",p=" + base64.b64encode(proof)).decode()

    def is_server(self, message):
        """The server knows the password too."""
        return base64.b64decode(message) == self.server_proof
