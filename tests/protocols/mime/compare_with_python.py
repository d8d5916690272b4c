#!/usr/bin/env python3
"""Compares trees of parts with those of python's email package.

Reads a dump: "file PATH", then one line for each part: level, type, number of children, body's begin and end.
Messages where python is known to go another way are named below, each with the reason.
"""
import email
import email.policy
import os
import sys

# Delimiters right behind each other are one to python; here, as in mime4j's expectations, an empty part is between them.
KNOWN = {"2002_06_12_doublebound.msg", "double-bound.msg"}


def parts_of(message, level, out):
    children = []
    kind = message.get_content_type()
    if message.is_multipart():
        children = message.get_payload()
    out.append((level, kind, len(children), None if children else message._payload))  # not decoded
    for child in children:
        parts_of(child, level + 1, out)
    return out


def defects_of(message):
    found = {type(d).__name__ for part in message.walk() for d in part.defects}
    return found


def read_dump(path):
    files = []
    for line in open(path, encoding="latin-1"):
        words = line.rstrip("\n").split(" ")
        if words[0] == "file":
            files.append((line[5:].rstrip("\n"), []))
        else:
            level, kind, children, begin, end = words
            files[-1][1].append((int(level), kind, int(children), int(begin), int(end)))
    return files


def main():
    failures = compared = passed_over = 0
    for path, ours in read_dump(sys.argv[1]):
        if os.path.basename(path) in KNOWN:
            passed_over += 1
            continue
        octets = open(path, "rb").read()
        message = email.message_from_bytes(octets, policy=email.policy.compat32)
        # Where python itself found the message broken its repair is one of several; places are judged elsewhere.
        if defects_of(message) or any(p.get_content_maintype() == "message" and p.get("content-transfer-encoding", "").lower()
                                      in ("base64", "quoted-printable") for p in message.walk()):
            passed_over += 1
            continue
        # RFC 3462 delivery reports: python makes a part of each block of fields, which no standard asks for.
        if any(p.get_content_type() in ("message/delivery-status", "message/disposition-notification",
                                        "message/partial", "message/external-body", "message/news")
               for p in message.walk()):
            passed_over += 1
            continue
        theirs = parts_of(message, 0, [])
        compared += 1
        same = len(theirs) == len(ours)
        for a, b in zip(theirs, ours):
            same = same and a[:3] == b[:3]
            if a[3] is not None and same:
                text = octets[b[3]:b[4]].decode("ascii", "surrogateescape")
                same = a[3].replace("\r\n", "\n") == text.replace("\r\n", "\n")
        if not same:
            failures += 1
            print("differs:", path)
            print("  python:", [t[:3] for t in theirs])
            print("  ours:  ", [o[:3] for o in ours])
    print(f"{compared} messages compared, {passed_over} passed over, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
