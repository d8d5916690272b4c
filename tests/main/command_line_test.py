#!/usr/bin/env python3
"""The program from outside: words of the command line, their output and exit status, the run files, signals.

The program under test is the one that the environment variable MERPATI_DAEMON names.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

MERPATI = None
START_SECONDS = 30  # sanitizer builds on a busy machine; a daemon that starts takes well below one
STOP_SECONDS = 10  # what the daemon promises


def run(*words, config=None, stdin=None, environment=None):
    """Runs one command; answers (exit status, standard output, standard error)."""
    command = [MERPATI] + (["--config", config] if config else []) + list(words)
    env = {k: v for k, v in os.environ.items() if k != "MERPATI_CONFIG"}
    env.update(environment or {})
    done = subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class Daemon:
    """merpati serve, ready; its log is kept."""

    def __init__(self, config):
        self.process = subprocess.Popen(
            [MERPATI, "serve", "--config", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines = []
        self.condition = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self.condition:
                self.lines.append(line.rstrip("\n"))
                self.condition.notify_all()
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    def wait_for(self, text):
        """Until a line of the log has `text`; false when the daemon ended without it."""
        found = lambda: any(text in line for line in self.lines)
        with self.condition:
            self.condition.wait_for(lambda: found() or self.ended, START_SECONDS)
            return found()

    def stop(self, number=signal.SIGTERM):
        """Exit status after a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.reader.join()
            self.process.stdout.close()
            self.process.stderr.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="merpati-main-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.config = self.path("merpati.toml")
        self.write_config()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, content, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(content)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def write_config(self, more=""):
        self.write(
            "merpati.toml",
            'hostname = "mail.example.org"\ndata_dir = "data"\n'
            '[[listener]]\nkind = "smtp"\naddress = "127.0.0.1"\nport = 0\n'
            '[[listener]]\nkind = "imap"\naddress = "127.0.0.1"\nport = 0\nplaintext_login = true\n' + more,
        )

    def make_certificate(self, name):
        if not shutil.which("openssl"):
            self.skipTest("SKIPPED: no openssl to make a certificate with")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
             "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")],
            check=True, capture_output=True,
        )
        os.chmod(self.path("key.pem"), 0o600)

    def ok(self, *words, **more):
        status, out, err = run(*words, config=self.config, **more)
        self.assertEqual((status, err), (0, ""), (words, out))
        return out

    def fails(self, *words, **more):
        status, out, err = run(*words, config=self.config, **more)
        self.assertEqual(status, 1, (words, out, err))
        self.assertEqual(out, "")
        return err

    def start(self):
        daemon = Daemon(self.config)
        self.addCleanup(daemon.stop, signal.SIGKILL)
        self.assertTrue(daemon.wait_for(" ready"), daemon.lines)
        return daemon

    def ports(self):
        with open(self.path("data", "run", "ports.json"), encoding="utf-8") as file:
            return json.load(file)


class Words(Case):
    def test_help_and_version(self):
        status, out, err = run("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^merpati \d+\.\d+\.\d+\n$")
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        for word in ("serve", "check-config", "domain", "user", "fsck", "reload", "--config", "MERPATI_CONFIG"):
            self.assertIn(word, out)
        for words in (["user", "--help"], ["user", "add", "--help"], ["fsck", "--help"]):
            self.assertEqual(run(*words)[0], 0, words)

    def test_wrong_usage(self):
        for words in ([], ["nonsense"], ["user"], ["user", "add"], ["domain", "add"], ["fsck", "--repair", "--salvage"],
                      ["serve", "now"], ["user", "add", "a@b.c", "--quota-mb", "-1"], ["user", "quota", "a@b.c", "x"]):
            status, out, err = run(*words)
            self.assertEqual(status, 2, words)
            self.assertEqual(out, "")
            self.assertNotEqual(err, "")

    def test_config_is_found_by_option_environment_and_default(self):
        self.assertEqual(run("check-config", config=self.config)[0], 0)
        self.assertEqual(run("check-config", "--config", self.config)[0], 0)
        self.assertEqual(run("domain", "list", "--config", self.config)[0], 0)
        self.assertEqual(run("check-config", environment={"MERPATI_CONFIG": self.config})[0], 0)
        other = self.write("other.toml", "hostname = 1\n")
        status, _, err = run("check-config", "--config", other, environment={"MERPATI_CONFIG": self.config})
        self.assertEqual(status, 1)
        self.assertIn("other.toml:1: hostname", err)
        if not os.path.exists("/etc/merpati/merpati.toml"):
            status, _, err = run("check-config")
            self.assertEqual(status, 1)
            self.assertIn("/etc/merpati/merpati.toml: there is no such file", err)


class CheckConfig(Case):
    def test_good(self):
        out = self.ok("check-config")
        self.assertTrue(out.startswith("ok\nhostname     mail.example.org\n"), out)
        self.assertIn("imap         127.0.0.1:any free port", out)

    def test_all_errors_at_once(self):
        self.write_config('[admin]\nprot = 5\n[log]\nlevel = "loud"\n')
        lines = self.fails("check-config").splitlines()
        self.assertEqual(
            lines,
            [
                self.config + ":13: unknown key prot in [admin]; did you mean port?",
                self.config + ':15: level "loud" in [log] is unknown; write "debug", "info", "warning" or "error"',
            ],
        )
        # Every other command refuses such a file too.
        for words in (["serve"], ["user", "list"], ["fsck"], ["reload"]):
            self.assertIn("unknown key prot", self.fails(*words))

    def test_certificate_files(self):
        self.write_config('[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n')
        self.assertIn("cert.pem does not exist; correct the path", self.fails("check-config"))
        self.make_certificate("mail.example.org")
        self.assertIn("tls          all names: " + self.path("cert.pem"), self.ok("check-config"))
        certificate = self.path("cert.pem")
        kept = self.path("kept.pem")
        os.rename(certificate, kept)
        self.make_certificate("mail.example.org")  # another key
        os.rename(kept, certificate)
        self.assertIn(certificate, self.fails("check-config"))


class WithoutDaemon(Case):
    def test_domains_and_users(self):
        self.assertEqual(self.ok("domain", "list"), "")
        self.assertEqual(self.ok("domain", "add", "Example.ORG"), "domain example.org added\n")
        self.assertEqual(self.ok("domain", "list"), "example.org\n")
        self.assertIn("exists already", self.fails("domain", "add", "example.org"))
        out = self.ok("user", "add", "Alice@example.org")
        self.assertRegex(out, r"^user alice@example\.org added\npassword: [a-z2-7-]{23}\n$")
        secret = self.write("secret", "a password of bob\nsecond line\n")
        self.assertEqual(
            self.ok("user", "add", "bob@example.org", "--password-file", secret, "--quota-mb", "10"),
            "user bob@example.org added\n",
        )
        self.assertEqual(
            self.ok("user", "add", "carol@example.org", "--password-file", "-", stdin="carol's password\n"),
            "user carol@example.org added\n",
        )
        self.ok("user", "disable", "carol@example.org")
        listed = self.ok("user", "list").splitlines()
        self.assertEqual(listed[0], "alice@example.org\tenabled\t0 messages\t0 octets\tno quota")
        self.assertEqual(listed[1], "bob@example.org\tenabled\t0 messages\t0 octets\t10 MB")
        self.assertEqual(listed[2].split("\t")[:2], ["carol@example.org", "disabled"])
        self.ok("user", "enable", "carol@example.org")
        self.assertRegex(self.ok("user", "password", "carol@example.org"), r"^password of .* changed\npassword: .*\n$")
        self.ok("user", "quota", "bob@example.org", "0")
        self.assertIn("has 3 accounts", self.fails("domain", "remove", "example.org"))
        for name in ("alice", "bob", "carol"):
            self.ok("user", "remove", name + "@example.org")
        self.assertEqual(self.ok("domain", "remove", "example.org"), "domain example.org removed\n")

    def test_aliases_lists_and_explain(self):
        self.ok("domain", "add", "example.org")
        for user in "alice", "bob":
            self.ok("user", "add", user + "@example.org", "--password-file", "-", stdin="a long password\n")
        self.assertEqual(
            self.ok("alias", "set", "Info@example.org", "alice@example.org", "x@elsewhere.example"),
            "info@example.org leads to alice@example.org, x@elsewhere.example\n",
        )
        self.ok("list", "create", "all@example.org", "--title", "All of us", "--posting", "members",
                "--owner", "alice@example.org")
        self.ok("list", "add", "all@example.org", "bob@example.org")
        added = self.ok("list", "add", "all@example.org", "--file", "-", stdin="# more\nalice@example.org\nc@d.example # c\n")
        self.assertEqual(added, "list all@example.org has 3 members\n")
        self.ok("list", "drop", "all@example.org", "c@d.example")
        self.ok("list", "change", "all@example.org", "--title", "Everybody")
        self.assertEqual(
            self.ok("list", "show", "all@example.org"),
            "# all@example.org, Everybody\n# may post: members\n# owners: alice@example.org\n"
            "alice@example.org\nbob@example.org\n",
        )
        self.assertEqual(self.ok("list", "list"), "all@example.org\t2 members\tmembers\tEverybody\n")
        self.ok("user", "forward", "bob@example.org", "b@elsewhere.example", "--no-copy")
        self.assertIn("bob@example.org\tb@elsewhere.example\tforward\n", self.ok("alias", "list"))
        self.ok("domain", "alias", "example.com", "example.org")
        steps = self.ok("explain", "ALL@example.com", "--from", "alice@example.org", "--ip", "192.0.2.1").splitlines()
        self.assertEqual(steps[0], "the client is 192.0.2.1")
        self.assertIn("  its network may have 60 connections, 120 messages, 1200 recipients a minute; beyond that 421 4.7.0", steps)
        self.assertIn("  on this machine: [policy] spares it", self.ok("explain", "alice@example.org", "--ip", "::1"))
        self.assertIn("domain example.com is an alias of example.org", steps)
        self.assertIn("  to the waiting list: <b@elsewhere.example>, from <all-bounces@example.org>", steps)
        self.assertIn("550 5.7.2", self.ok("explain", "all@example.org", "--from", "x@y.example"))
        self.ok("user", "forward", "bob@example.org")
        self.ok("alias", "remove", "info@example.org")
        self.assertEqual(self.ok("alias", "list"), "")
        self.ok("list", "remove", "all@example.org")
        self.assertIn("there is no alias", self.fails("list", "show", "all@example.org"))
        self.assertIn("is an account", self.fails("alias", "set", "alice@example.org", "bob@example.org"))
        self.assertIn("no members are named", self.fails("list", "add", "all@example.org"))

    def test_refusals(self):
        self.assertIn("add it first", self.fails("user", "add", "alice@example.org"))
        self.ok("domain", "add", "example.org")
        for address in ("alice", "alice@", "@example.org", "a b@example.org"):
            self.assertIn("is no mail address", self.fails("user", "add", address))
        self.assertIn("too short", self.fails("user", "add", "a@example.org", "--password-file", "-", stdin="short\n"))
        self.assertIn("is empty", self.fails("user", "add", "a@example.org", "--password-file", "-", stdin=""))
        self.assertIn("can't be read", self.fails("user", "add", "a@example.org", "--password-file", self.path("none")))
        self.assertIn("there is no account", self.fails("user", "remove", "nobody@example.org"))
        self.assertEqual(self.ok("user", "list"), "")
        self.assertIn("no daemon runs", self.fails("reload"))

    def test_folders_belong_to_their_owner_alone(self):
        self.ok("domain", "add", "example.org")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("data")).st_mode), 0o700)

    def test_fsck(self):
        self.assertEqual(self.ok("fsck"), "shard 0: not made yet\n")
        self.ok("domain", "add", "example.org")
        self.ok("user", "add", "alice@example.org")
        self.assertEqual(self.ok("fsck"), "shard 0: 0 messages, 0 bodies, 0 findings\n")
        self.ok("fsck", "--repair")


class WithDaemon(Case):
    def get(self, path, token=None):
        admin = self.ports()["admin"]
        request = urllib.request.Request("http://{address}:{port}{path}".format(path=path, **admin))
        if token:
            request.add_header("Authorization", "Bearer " + token)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def test_life(self):
        daemon = self.start()
        published = self.ports()
        self.assertEqual(published["pid"], daemon.process.pid)
        self.assertEqual([l["kind"] for l in published["listeners"]], ["smtp", "imap"])
        for listener in published["listeners"] + [published["admin"]]:
            self.assertEqual(listener["address"], "127.0.0.1")
            self.assertGreater(listener["port"], 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("data", "run")).st_mode), 0o700)
        token_file = self.path("data", "run", "admin.token")
        self.assertEqual(stat.S_IMODE(os.stat(token_file).st_mode), 0o600)
        self.assertEqual(self.get("/healthz"), "ok\n")
        kinds = {a["kind"] for a in json.loads(self.get("/actors"))["actors"]}
        self.assertIn("listener", kinds)
        self.assertIn("merpati_build_info", self.get("/metrics"))
        self.assertIn("Merpati", self.get("/"))
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.get("/v1/users")
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        with open(token_file, encoding="utf-8") as file:
            self.assertEqual(json.loads(self.get("/v1/users", file.read().strip())), {"users": []})

        # The command line goes through the daemon now.
        self.ok("domain", "add", "example.org")
        self.ok("user", "add", "alice@example.org", "--password-file", "-", stdin="wonderland\n")
        self.assertIn("exists already", self.fails("user", "add", "alice@example.org"))
        self.assertEqual(self.ok("domain", "list"), "example.org\n")
        self.ok("user", "disable", "alice@example.org")
        self.assertIn("disabled", self.ok("user", "list"))
        self.assertIn("certificates read anew", self.ok("reload"))

        # Nobody else can have the store, and trying disturbs nothing.
        self.assertNotEqual(self.fails("serve"), "")
        self.assertNotEqual(self.fails("fsck"), "")
        self.assertEqual(self.ports(), published)
        self.assertEqual(self.get("/healthz"), "ok\n")

        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(os.listdir(self.path("data", "run")), [])
        self.assertTrue(any("stopped" in line for line in daemon.lines))
        self.assertEqual([l for l in daemon.lines if " error " in l or "*** " in l], [])
        # What was changed is there without the daemon.
        self.assertIn("alice@example.org\tdisabled", self.ok("user", "list"))

    def test_interrupt_and_hangup(self):
        daemon = self.start()
        daemon.process.send_signal(signal.SIGHUP)
        self.assertTrue(daemon.wait_for("certificates read anew"))
        self.assertEqual(self.get("/healthz"), "ok\n")
        self.assertEqual(daemon.stop(signal.SIGINT), 0)

    def test_after_a_crash(self):
        daemon = self.start()
        self.ok("domain", "add", "example.org")
        daemon.stop(signal.SIGKILL)
        self.assertTrue(os.path.exists(self.path("data", "run", "ports.json")))
        self.assertEqual(self.ok("domain", "list"), "example.org\n")
        with open(self.path("data", "run", "admin.token"), encoding="utf-8") as file:
            old_token = file.read()
        again = self.start()
        self.assertEqual(self.ports()["pid"], again.process.pid)
        with open(self.path("data", "run", "admin.token"), encoding="utf-8") as file:
            self.assertNotEqual(file.read(), old_token)
        self.assertEqual(self.ok("domain", "list"), "example.org\n")
        self.assertEqual(again.stop(), 0)

    def test_port_that_is_taken(self):
        daemon = self.start()
        port = self.ports()["listeners"][0]["port"]
        other = self.write(
            "other.toml",
            'hostname = "b.example"\ndata_dir = "other"\n[[listener]]\nkind = "smtp"\naddress = "127.0.0.1"\nport = %d\n'
            % port,
        )
        status, out, err = run("serve", config=other)
        self.assertEqual((status, out), (1, ""))
        self.assertIn(str(port), err)
        self.assertFalse(os.path.exists(self.path("other", "run", "ports.json")))
        self.assertEqual(daemon.stop(), 0)

    def test_without_admin_port(self):
        self.write_config("[admin]\nenabled = false\n")
        daemon = self.start()
        self.assertNotIn("admin", self.ports())
        self.assertIn("admin port off", self.fails("user", "list"))
        self.assertIn("kill -HUP", self.fails("reload"))
        self.assertEqual(daemon.stop(), 0)

    def test_certificates_that_went_bad_keep_the_old_ones(self):
        self.make_certificate("mail.example.org")
        self.write_config('[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n')
        daemon = self.start()
        os.rename(self.path("key.pem"), self.path("away.pem"))
        self.assertIn("key.pem", self.fails("reload"))
        self.assertEqual(self.get("/healthz"), "ok\n")
        os.rename(self.path("away.pem"), self.path("key.pem"))
        self.assertEqual(self.ok("reload"), "certificates read anew\n")
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    MERPATI = os.path.abspath(os.environ.get("MERPATI_DAEMON", "build/dev/merpati"))
    if not os.access(MERPATI, os.X_OK):
        sys.exit(__doc__)
    unittest.main(verbosity=2)
