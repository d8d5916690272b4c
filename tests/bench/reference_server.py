"""Debian's Postfix and Dovecot as they come, with private folders and ports, ended by pid, never as system services."""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

import process_stats
from server_support import DOMAIN, PASSWORD, BenchError, free_port, make_certificate, stop_process, wait_for_port

PACKAGES = ["postfix", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd"]

# Durability is what Debian ships: Postfix syncs its queue files, Dovecot syncs each delivered message (mail_fsync=optimized).
# Raised are only limits that would refuse the load: connections per client and number of processes.
MAIN_CF = """
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/postfix-data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file_prefixes = {root}
maillog_file = {root}/postfix.log
myhostname = reference.bench.example
mydestination =
mynetworks = 192.0.2.1
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:unix:{root}/lmtp
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
default_process_limit = {processes}
smtpd_tls_cert_file = {root}/cert.pem
smtpd_tls_key_file = {root}/key.pem
smtpd_tls_security_level = may
"""

MASTER_CF = """
127.0.0.1:{smtp_port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

# Login processes in the mode that Dovecot's manual recommends for busy servers (service_count = 0); the rest as it comes.
DOVECOT_CONF = """
base_dir = {root}/dovecot-run
state_dir = {root}/dovecot-state
log_path = {root}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
disable_plaintext_auth = no
mail_location = {mail_location}
first_valid_uid = 1
mail_uid = {mail_user}
mail_gid = {mail_group}
mail_max_userip_connections = 0
default_client_limit = 20000
default_process_limit = 4000
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={mail_user} gid={mail_group} home={root}/mail/%d/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = {cores}
  process_limit = {cores}
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  process_limit = {processes}
  unix_listener {root}/lmtp {{
    mode = 0666
  }}
}}
"""

MAIL_LOCATIONS = {"sdbox": "sdbox:~/sdbox", "maildir": "maildir:~/Maildir"}


def install():
    """Installs the packages where they are missing, without ever letting them start as services."""
    if shutil.which("postfix") and shutil.which("dovecot") and Path("/usr/lib/dovecot/lmtp").exists():
        return
    if not shutil.which("apt-get"):
        raise BenchError("Postfix and Dovecot (with IMAP and LMTP) are needed; install them or use --server merpati")
    print("installing " + " ".join(PACKAGES) + " ...", flush=True)
    policy = Path("/usr/sbin/policy-rc.d")
    own_policy = not policy.exists()
    if own_policy:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run(["debconf-set-selections"], input="postfix postfix/main_mailer_type select No configuration\n",
                       text=True, check=True)
        subprocess.run(["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *PACKAGES],
                       env=environment, check=True, stdout=subprocess.DEVNULL)
        if Path("/run/systemd/system").is_dir():
            subprocess.run(["systemctl", "disable", "--quiet", "postfix", "dovecot"], check=False)
    finally:
        if own_policy:
            policy.unlink()


class ReferenceServer:
    name = "reference"
    title = "Postfix+Dovecot"

    def __init__(self, root, mail_format):
        self.root = Path(root).resolve()
        self.mail_format = mail_format
        self.postfix = self.dovecot = None
        self.smtp_port = self.imap_port = self.imaps_port = 0

    def prepare(self, _users):
        """Fresh folders and configuration. Any user name is valid, so there are none to make."""
        if os.geteuid() != 0:
            raise BenchError("Postfix's and Dovecot's masters have to be started as root; run this with sudo")
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        self._check_reachable()
        self.smtp_port, self.imap_port, self.imaps_port = (free_port() for _ in range(3))
        mail = pwd.getpwnam("mail")
        for folder, owner in (("spool", 0), ("postfix-data", pwd.getpwnam("postfix").pw_uid), ("mail", mail.pw_uid)):
            (self.root / folder).mkdir()
            os.chown(self.root / folder, owner, mail.pw_gid if folder == "mail" else 0)
        make_certificate(self.root)
        values = dict(root=self.root, domain=DOMAIN, password=PASSWORD, processes=100, cores=os.cpu_count(),
                      smtp_port=self.smtp_port, imap_port=self.imap_port, imaps_port=self.imaps_port,
                      mail_user=mail.pw_uid, mail_group=mail.pw_gid, mail_location=MAIL_LOCATIONS[self.mail_format])
        (self.root / "postfix").mkdir()
        (self.root / "postfix" / "main.cf").write_text(MAIN_CF.format(**values))
        (self.root / "postfix" / "master.cf").write_text(MASTER_CF.format(**values))
        (self.root / "dovecot.conf").write_text(DOVECOT_CONF.format(**values))

    def start(self):
        log = open(self.root / "start.log", "ab")
        self.dovecot = subprocess.Popen(["dovecot", "-F", "-c", self.root / "dovecot.conf"], stdout=log, stderr=log)
        # "postfix check" makes the spool's folders; the master is then started directly, so that its pid is known.
        subprocess.run(["postfix", "-c", self.root / "postfix", "check"], check=True, stdout=log, stderr=log)
        self.postfix = subprocess.Popen(["/usr/lib/postfix/sbin/master", "-c", self.root / "postfix", "-s"],
                                        stdout=log, stderr=log)
        try:
            wait_for_port(self.imap_port, self.dovecot)
            wait_for_port(self.smtp_port, self.postfix)
        except BenchError as problem:
            self.stop()
            raise BenchError(f"{problem}; see {self.root}/start.log, postfix.log, dovecot.log") from problem

    def stop(self):
        for process in (self.postfix, self.dovecot):
            if process is not None:
                # The workers are told by their master; this one waits until the tree is gone.
                below = process_stats.descendants([process.pid])
                stop_process(process)
                deadline = time.monotonic() + 10
                while any(Path(f"/proc/{pid}").exists() for pid in below) and time.monotonic() < deadline:
                    time.sleep(0.05)
        self.postfix = self.dovecot = None

    def roots(self):
        return [self.postfix.pid, self.dovecot.pid]

    def _check_reachable(self):
        # Postfix's and Dovecot's workers run as users of their own and must be able to reach their folders.
        for folder in self.root.parents:
            if not folder.stat().st_mode & 0o001:
                raise BenchError(f"{folder} is closed to other users, so Postfix's workers cannot reach {self.root}; "
                                 "choose another place with --work-dir")
