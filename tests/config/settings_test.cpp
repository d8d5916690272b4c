#include "config/settings.hpp"

#include <fstream>

#include "tests/support/catch2.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace merpati;

namespace {

std::vector<std::string> errors_of(std::string_view text) {
  auto parsed = config::parse(text, "/etc/merpati/merpati.toml");
  std::vector<std::string> out;
  if (!parsed)
    for (const auto& p : parsed.error())
      out.push_back(config::to_string(p));
  return out;
}

const std::string good_head = R"(hostname = "mail.example.org"
data_dir = "data"
)";
const std::string good_tls = R"([tls]
certificate = "cert.pem"
key = "/keys/key.pem"
)";
const std::string good_listener = R"([[listener]]
kind = "smtp"
address = "127.0.0.1"
port = 2525
)";

/// The errors of a file that is good but for what is put at its end; the end starts at line 7.
std::vector<std::string> errors_at_end(const std::string& end) {
  return errors_of(good_head + good_listener + end);
}

/// "line 7: what" for the one error there should be.
std::string only_error(const std::string& end) {
  auto found = errors_at_end(end);
  REQUIRE(found.size() == 1);
  const std::string prefix = "/etc/merpati/merpati.toml:";
  REQUIRE(found[0].substr(0, prefix.size()) == prefix);
  return found[0].substr(prefix.size());
}

} // namespace

TEST_CASE("a small file is read, with defaults for the rest") {
  auto s = config::parse(good_head + good_tls + good_listener, "/etc/merpati/merpati.toml");
  REQUIRE(s);
  CHECK(s->hostname == "mail.example.org");
  CHECK(s->data_dir == "/etc/merpati/data");
  REQUIRE(s->tls.certificates.size() == 1);
  CHECK(s->tls.certificates[0].chain == "/etc/merpati/cert.pem");
  CHECK(s->tls.certificates[0].key == "/keys/key.pem");
  CHECK(s->tls.certificates[0].name.empty());
  REQUIRE(s->listeners.size() == 1);
  CHECK(s->listeners[0] == config::listener{config::listener_kind::smtp, "127.0.0.1", 2525, false, {}, {}, 0660, 6});
  CHECK(s->admin.enabled);
  CHECK(s->admin.address == "127.0.0.1");
  CHECK(s->level == config::log_level::info);
  // robustness.md
  CHECK(s->limits.message_bytes == 50 * 1024 * 1024);
  CHECK(s->limits.connections_per_address == 50);
  CHECK(s->limits.smtp.recipients == 1000);
  CHECK(s->limits.smtp.line_bytes == 2048);
  CHECK(s->limits.smtp.errors == 20);
  CHECK(s->limits.smtp.idle == std::chrono::seconds(300));
  CHECK(s->limits.imap.line_before_login_bytes == 8192);
  CHECK(s->limits.imap.bad_commands == 20);
  CHECK(s->limits.imap.bad_commands_before_login == 3);
  CHECK(s->limits.imap.idle == std::chrono::minutes(30));
  CHECK(s->limits.imap.mailbox_name_bytes == 1000);
  CHECK(s->limits.imap.mailbox_levels == 32);
  CHECK(s->limits.mime.depth == 100);
  CHECK(s->limits.mime.parts == 10000);
  CHECK(s->limits.mime.header_bytes == 10 * 1024 * 1024);
  CHECK(s->limits.mime.parameters == 128);
  CHECK(s->limits.login.failures_per_minute == 10);
}

TEST_CASE("every key can be set") {
  auto s = config::parse(R"(
hostname = "MAIL.example.org"
data_dir = "/srv/mail/"
[tls]
certificate = "a.pem"
key = "a.key"
[[tls.sni]]
name = "IMAP.example.com"
certificate = "b.pem"
key = "b.key"
[[tls.sni]]
name = "*.example.net"
certificate = "c.pem"
key = "c.key"
[[listener]]
kind = "imap"
address = "::1"
plaintext_login = true
[[listener]]
kind = "imaps"
address = "::"
port = 0
[admin]
enabled = false
address = "::1"
port = 99
[storage]
reserve_bytes = 2000000
[limits]
message_bytes = 100000
message_in_memory_bytes = 20000
connections = 11
connections_per_address = 12
smtp = { recipients = 101, line_bytes = 1000, errors = 2, idle_seconds = 13 }
imap = { line_before_login_bytes = 1024, line_bytes = 8192, bad_commands_before_login = 1, bad_commands = 2, idle_seconds = 60, idle_before_login_seconds = 5, mailbox_name_bytes = 64, mailbox_levels = 2 }
pop3 = { line_bytes = 300, errors = 3, idle_seconds = 14, messages = 100 }
mime = { depth = 8, parts = 16, header_bytes = 70000, parameters = 9 }
login = { failures_per_minute = 4, longest_delay_seconds = 5, hashing_threads = 6, queue = 7, remembered_seconds = 0 }
[log]
level = "debug"
)",
                         "/etc/merpati/merpati.toml");
  if (!s)
    for (const auto& p : s.error())
      UNSCOPED_INFO(config::to_string(p));
  REQUIRE(s);
  CHECK(s->hostname == "mail.example.org");
  REQUIRE(s->tls.certificates.size() == 3);
  CHECK(s->tls.certificates[1].name == "imap.example.com");
  CHECK(s->tls.certificates[2].name == "*.example.net");
  REQUIRE(s->listeners.size() == 2);
  CHECK(s->listeners[0].port == 143);
  CHECK(s->listeners[0].plaintext_login);
  CHECK(s->listeners[1].port == 0);
  CHECK(!s->admin.enabled);
  CHECK(s->admin.port == 99);
  CHECK(s->storage.reserve_bytes == 2'000'000);
  CHECK(s->limits.message_bytes == 100'000);
  CHECK(s->limits.message_in_memory_bytes == 20'000);
  CHECK(s->limits.connections == 11);
  CHECK(s->limits.smtp.idle == std::chrono::seconds(13));
  CHECK(s->limits.imap.idle_before_login == std::chrono::seconds(5));
  CHECK(s->limits.pop3.messages == 100);
  CHECK(s->limits.mime.parameters == 9);
  CHECK(s->limits.login.hashing_threads == 6);
  CHECK(s->limits.login.remembered == std::chrono::seconds(0));
  CHECK(s->level == config::log_level::debug);
}

TEST_CASE("all errors of a file come at once, in the order of lines, with remedies") {
  CHECK(
      errors_of(R"(hostnam = "mail.example.org"
data_dir = 5
[[listener]]
kind = "imapz"
adress = "127.0.0.1"
port = 70000
[limits]
message_bytes = "50 MB"
[foo]
)")
      == std::vector<std::string>{
          R"(/etc/merpati/merpati.toml: hostname is missing; add hostname = "mail.example.org" at the top, with this server's name in DNS)",
          R"(/etc/merpati/merpati.toml:1: unknown key hostnam in the file; did you mean hostname?)",
          R"(/etc/merpati/merpati.toml:2: data_dir in the file is a whole number, not a text; put it in double quotes)",
          R"(/etc/merpati/merpati.toml:3: [[listener]] has no address; add address = "0.0.0.0" (all of IPv4), "::" (all of IPv6), one address of this machine, or "unix:PATH")",
          R"(/etc/merpati/merpati.toml:4: kind "imapz" is unknown; did you mean "imap"?)",
          R"(/etc/merpati/merpati.toml:5: unknown key adress in [[listener]]; did you mean address?)",
          R"(/etc/merpati/merpati.toml:6: port in [[listener]] is 70000; write a number from 0 to 65535)",
          R"(/etc/merpati/merpati.toml:8: message_bytes in [limits] is a text, not a whole number; write a whole number)",
          R"(/etc/merpati/merpati.toml:9: unknown key foo in the file; remove it)",
      });
}

TEST_CASE("an empty file names everything that it must have") {
  auto found = errors_of("");
  REQUIRE(found.size() == 3);
  CHECK_THAT(found[0], Catch::Matchers::StartsWith("/etc/merpati/merpati.toml: hostname is missing; "));
  CHECK_THAT(found[1], Catch::Matchers::StartsWith("/etc/merpati/merpati.toml: data_dir is missing; "));
  CHECK(
      found[2]
      == "/etc/merpati/merpati.toml: there is no listener; add at least one [[listener]] with kind, address and port");
}

TEST_CASE("text that is no TOML is a problem with its line") {
  auto found = errors_of("hostname = \"a.b\"\ndata_dir = data\n");
  REQUIRE(found.size() == 1);
  CHECK_THAT(found[0], Catch::Matchers::StartsWith("/etc/merpati/merpati.toml:2: this is no TOML: "));
  CHECK(errors_of(std::string("\0\xff\xfe[[", 5)).size() == 1);
  CHECK(errors_of(std::string(100'000, '[')).size() == 1);
  for (const char* header : {"[[[a]]]", "[=]", "[[ ", "[\x01]", "[", "[[", "[a.=]", "[a..b]"}) {
    INFO(header);
    auto bad = errors_of("hostname = \"a.b\"\n" + std::string(header) + "\n");
    REQUIRE(bad.size() == 1);
    CHECK_THAT(bad[0], Catch::Matchers::StartsWith("/etc/merpati/merpati.toml:2: this is no TOML: "));
  }
}

TEST_CASE("one mistake, one message") {
  struct row {
    const char* text;
    const char* message;
  };
  const row rows[] = {
      {"[admin]\naddress = \"0.0.0.0\"\n",
       "8: the admin port at 0.0.0.0 would be open to the network; listen on 127.0.0.1 or ::1 and reach it from "
       "elsewhere through ssh -L"},
      {"[admin]\nport = 2525\n",
       "8: admin wants port 2525 of 127.0.0.1, which smtp in line 6 has already; give one of them another port"},
      {"[[listener]]\nkind = \"smtp\"\naddress = \"0.0.0.0\"\nport = 2525\n",
       "10: smtp wants port 2525 of 0.0.0.0, which 127.0.0.1 of smtp in line 6 has already; give one of them another "
       "port"},
      {"[[listener]]\nkind = \"smtp\"\naddress = \"127.0.0.1\"\nport = 2525\n",
       "10: smtp wants port 2525 of 127.0.0.1, which smtp in line 6 has already; give one of them another port"},
      {"[[listener]]\nkind = \"smtp\"\naddress = \"localhost\"\n",
       "9: address \"localhost\" in [[listener]] is no IP address; write a numeric one: \"0.0.0.0\" for all of IPv4, "
       "\"::\" for all of IPv6, \"127.0.0.1\" for this machine alone"},
      {"[[listener]]\naddress = \"::\"\n", "7: [[listener]] has no kind; add kind = one of \"smtp\", \"submission\", "
                                           "\"submissions\", \"lmtp\", \"imap\", \"imaps\", "
                                           "\"pop3\" or \"pop3s\""},
      {"[[listener]]\nkind = \"imaps\"\naddress = \"::\"\n", "7: kind \"imaps\" needs TLS, but there is no [tls]; add "
                                                             "[tls] with certificate and key, or remove this listener"},
      {"[[listener]]\nkind = \"pop3\"\naddress = \"::1\"\n", "7: nobody can log in at kind \"pop3\": there is no [tls] "
                                                             "and plaintext_login is off; add [tls] with certificate "
                                                             "and key"},
      {"[[listener]]\nkind = \"imap\"\naddress = \"192.0.2.1\"\nplaintext_login = true\n",
       "10: plaintext_login at 192.0.2.1 would send passwords in clear over the network; remove it, or listen on "
       "127.0.0.1 or ::1"},
      {"[[listener]]\nkind = \"smtp\"\naddress = \"::1\"\nplaintext_login = true\n",
       "10: plaintext_login at kind \"smtp\", where nobody logs in; remove it"},
      {"[[listener]]\nkind = \"smtp\"\naddress = \"::1\"\nplaintext_login = \"yes\"\n",
       "10: plaintext_login in [[listener]] is a text, not true or false; write true or false"},
      {"[listener.x]\n", "7: unknown key x in [[listener]]; remove it"},
      {"[tls]\ncertificate = \"a.pem\"\n",
       "7: [tls] has no key; add key = \"key.pem\"; a certificate and its key go together"},
      {"[tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n[[tls.sni]]\ncertificate = \"c\"\nkey = \"d\"\n",
       "10: [[tls.sni]] has no name; add name = \"imap.example.com\": the name that clients ask for"},
      {"[tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n[[tls.sni]]\nname = \"-a\"\ncertificate = \"c\"\nkey = "
       "\"d\"\n",
       "11: name \"-a\" in [[tls.sni]] is no host name; write a name such as \"imap.example.com\" or "
       "\"*.example.com\""},
      {"[tls]\ncertificate = \"a\"\nkey = \"b\"\nsni = [{ name = \"x.y\", certificate = \"c\", key = \"d\" }, { name = "
       "\"X.y\", certificate = \"c\", key = \"d\" }]\n",
       "10: a second [[tls.sni]] for \"x.y\"; remove one of them"},
      {"[tls]\ncertificate = \"a\"\nkey = \"b\"\nsni = \"x.y\"\n",
       "10: sni is a text, not a list of tables; begin each with a line [[tls.sni]]"},
      {"[log]\nlevel = \"warn\"\n",
       "8: level \"warn\" in [log] is unknown; write \"debug\", \"info\", \"warning\" or \"error\""},
      {"[log]\nlevel = \"inof\"\n", "8: level \"inof\" in [log] is unknown; did you mean \"info\"?"},
      {"[admin]\nprot = 5\n", "8: unknown key prot in [admin]; did you mean port?"},
      {"[log]\nlevel = \"Info\"\n", "8: level \"Info\" in [log] is unknown; did you mean \"info\"?"},
      {"[limits.smtp]\nrecipients = 10\n", "8: recipients in [limits.smtp] is 10; write a number from 100 to 100000"},
      {"[limits.smtp]\nrecipient = 1000\n", "8: unknown key recipient in [limits.smtp]; did you mean recipients?"},
      {"[limits.imap]\nidle_seconds = 5.5\n",
       "8: idle_seconds in [limits.imap] is a fraction, not a whole number; write a whole number"},
      {"[limits]\nsmtp = 5\n", "8: smtp is a whole number, not a table; begin it with a line [smtp]"},
      {"[storage]\nreserve_bytes = 0\n",
       "8: reserve_bytes in [storage] is 0; write a number from 1048576 to 1099511627776"},
  };
  for (const auto& [text, message] : rows) {
    INFO(text);
    if (std::string_view(text).starts_with("[listener.x]"))
      continue; // under an array of tables TOML gives the key to the last listener: checked below
    CHECK(only_error(text) == message);
  }
  CHECK(only_error("[listener.x]\n") == "7: unknown key x in [[listener]]; remove it");
}

TEST_CASE("a listener that is no list of tables is said once") {
  auto found = errors_of(good_head + "[listener]\nkind = \"smtp\"\n");
  REQUIRE(found.size() == 1);
  CHECK(
      found[0]
      == "/etc/merpati/merpati.toml:3: listener is a table, not a list of tables; begin each with a line [[listener]]");
}

TEST_CASE("host names") {
  for (const char* bad :
       {"", ".", "a..b", "-a.b", "a-.b", "a_b.c", "a.b.", "ex ample.org", "[127.0.0.1]", "b\xc3\xbc.de"}) {
    INFO(bad);
    auto found = errors_of("hostname = \"" + std::string(bad) + "\"\ndata_dir = \"d\"\n" + good_listener);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find(":1: hostname \"") != std::string::npos);
    CHECK(found[0].find("is no host name") != std::string::npos);
  }
  for (const std::string& good :
       {std::string("localhost"), std::string("xn--bcher-kva.example"), std::string(63, 'a') + ".b"}) {
    INFO(good);
    CHECK(errors_of("hostname = \"" + good + "\"\ndata_dir = \"d\"\n" + good_listener).empty());
  }
  CHECK(!errors_of("hostname = \"" + std::string(64, 'a') + ".b\"\ndata_dir = \"d\"\n" + good_listener).empty());
}

TEST_CASE("ports that only look alike are no clash") {
  CHECK(errors_at_end("[[listener]]\nkind = \"smtp\"\naddress = \"127.0.0.2\"\nport = 2525\n").empty());
  CHECK(errors_at_end("[[listener]]\nkind = \"smtp\"\naddress = \"::1\"\nport = 2525\n").empty());
  CHECK(errors_at_end("[[listener]]\nkind = \"smtp\"\naddress = \"127.0.0.1\"\nport = 0\n"
                      "[[listener]]\nkind = \"smtp\"\naddress = \"127.0.0.1\"\nport = 0\n")
            .empty());
  CHECK(errors_at_end("[admin]\nenabled = false\nport = 2525\n").empty());
}

TEST_CASE("the example configuration is right and has the ports of the manual") {
  auto s = config::load(MERPATI_SOURCE_DIR "/config/example.toml");
  if (!s)
    for (const auto& p : s.error())
      UNSCOPED_INFO(config::to_string(p));
  REQUIRE(s);
  std::vector<std::pair<std::string, std::uint16_t>> ports;
  for (const auto& l : s->listeners)
    ports.emplace_back(config::to_string(l.kind), l.port);
  CHECK(ports
        == std::vector<std::pair<std::string, std::uint16_t>>{{"smtp", 2525},
                                                              {"submission", 2587},
                                                              {"submissions", 2465},
                                                              {"imap", 2143},
                                                              {"imaps", 2993},
                                                              {"pop3", 2110},
                                                              {"pop3s", 2995}});
  CHECK(s->admin.port == 2080);
  // What the file shows as defaults are the defaults.
  config::limits defaults;
  CHECK(s->limits.message_bytes == defaults.message_bytes);
  CHECK(s->limits.connections == defaults.connections);
  CHECK(s->limits.connections_per_address == defaults.connections_per_address);
  CHECK(s->limits.smtp.recipients == defaults.smtp.recipients);
  CHECK(s->limits.smtp.errors == defaults.smtp.errors);
  CHECK(s->limits.smtp.idle == defaults.smtp.idle);
  CHECK(s->limits.imap.idle == defaults.imap.idle);
  CHECK(s->limits.pop3.idle == defaults.pop3.idle);
  CHECK(s->limits.login.failures_per_minute == defaults.login.failures_per_minute);
  CHECK(s->limits.login.hashing_threads == defaults.login.hashing_threads);
  CHECK(s->limits.login.remembered == defaults.login.remembered);
  CHECK(s->storage.reserve_bytes == config::storage_settings{}.reserve_bytes);
}

TEST_CASE("the summary tells who listens where") {
  auto s = config::parse(good_head + good_tls + good_listener + "[[listener]]\nkind = \"imaps\"\naddress = \"::\"\n",
                         "/c/m.toml");
  REQUIRE(s);
  CHECK(config::describe(*s)
        == "hostname     mail.example.org\n"
           "data         /c/data\n"
           "tls          all names: /c/cert.pem\n"
           "smtp         127.0.0.1:2525          mail from other servers, STARTTLS offered\n"
           "imaps        [::]:993                mailboxes, TLS\n"
           "admin        127.0.0.1:any free port\n"
           "messages     up to 52428800 octets\n");
}

TEST_CASE("listeners on Unix-domain sockets, and peers that speak for others") {
  const auto base = good_head + "[[listener]]\nkind = \"lmtp\"\naddress = \"unix:run/lmtp\"\n";
  auto s = config::parse(base + "socket_mode = \"0666\"\nproxy_from = [\"192.0.2.0/24\", \"2001:db8::1\"]\n"
                             + "xclient_from = [\"127.0.0.1\"]\n",
                         "/etc/merpati/merpati.toml");
  REQUIRE(s);
  REQUIRE(s->listeners.size() == 1);
  CHECK(s->listeners[0].address == "unix:/etc/merpati/run/lmtp");
  CHECK(s->listeners[0].socket_mode == 0666);
  CHECK(contains(s->listeners[0].proxy_from, "192.0.2.200"));
  CHECK(contains(s->listeners[0].proxy_from, "2001:db8::1"));
  CHECK_FALSE(contains(s->listeners[0].proxy_from, "2001:db8::2"));
  CHECK(contains(s->listeners[0].xclient_from, "127.0.0.1"));
  CHECK(errors_of(base + "socket_mode = \"rw\"\nport = 24\nproxy_from = [\"example.org\"]\n")
        == std::vector<std::string>{
            "/etc/merpati/merpati.toml:6: \"rw\" is no file mode; write socket_mode = \"0660\" (owner and group), "
            "\"0666\" (everybody) or the like",
            "/etc/merpati/merpati.toml:7: a Unix-domain socket has no port; remove it",
            "/etc/merpati/merpati.toml:8: \"example.org\" in proxy_from is no address and no range; write "
            "\"192.0.2.1\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
        });
}

TEST_CASE("how mail is received, and who may send as whom") {
  auto s = config::parse(good_head + good_listener + "[smtp]\nbare_newlines = \"normalise\"\n[[delegation]]\n"
                             + "account = \"a@example.org\"\naddresses = [\"b@example.org\", \"@example.com\"]\n",
                         "/etc/merpati/merpati.toml");
  REQUIRE(s);
  CHECK(s->smtp.newlines == config::bare_newlines::normalise);
  REQUIRE(s->smtp.delegations.size() == 1);
  CHECK(s->smtp.delegations[0] == config::delegation{"a@example.org", {"b@example.org", "@example.com"}, 9});
  CHECK(only_error("[smtp]\nbare_newlines = \"normalize\"\n")
        == "8: bare_newlines \"normalize\" in [smtp] is unknown; did you mean \"normalise\"?");
  CHECK(only_error("[[delegation]]\naddresses = [\"b@example.org\"]\n")
        == "7: [[delegation]] has no account; add account = \"office@example.org\": who may send");
  CHECK(only_error("[[delegation]]\naccount = \"a@example.org\"\n")
        == "7: [[delegation]] has no addresses; add addresses = [\"info@example.org\"]: what it may send as");
  CHECK(only_error("[[delegation]]\naccount = \"@example.org\"\naddresses = []\n")
        == "8: account \"@example.org\" in [[delegation]] is no address; write a whole address such as "
           "\"office@example.org\"");
  CHECK(only_error("[[delegation]]\naccount = \"a@example.org\"\naddresses = [\"b@\"]\n")
        == "9: \"b@\" in addresses of [[delegation]] is no address; write \"info@example.org\", or \"@example.org\" "
           "for all of a domain");
  CHECK(only_error("[[delegation]]\naccount = \"a@example.org\"\naddresses = \"b@example.org\"\n")
        == "9: addresses in [[delegation]] is a text, not a list of texts; write a list of texts");
}

TEST_CASE("what TLS mail leaves with") {
  test::temporary_folder folder;
  std::ofstream(folder.path() / "authorities.pem") << "PEM";
  const auto file = (folder.path() / "merpati.toml").string();
  CHECK(config::parse(good_head + good_listener, file)->delivery.tls == config::hop_tls::automatic);
  const auto s = config::parse(good_head + good_listener + R"([delivery]
tls = "dane"
ca_file = "authorities.pem"
[[route]]
domain = "example.net"
[[route]]
domain = "example.com"
tls = "auto"
)",
                               file);
  REQUIRE(s);
  CHECK(s->delivery.tls == config::hop_tls::dane);
  CHECK(s->delivery.trusted_certificates == "PEM");
  CHECK(s->delivery.routes[0].tls == config::hop_tls::dane);
  CHECK(s->delivery.routes[1].tls == config::hop_tls::automatic);
}

TEST_CASE("how mail leaves") {
  test::temporary_folder folder;
  std::ofstream(folder.path() / "password") << "open sesame\nmore\n";
  const auto file = (folder.path() / "merpati.toml").string();
  auto s = config::parse(good_head + good_listener + R"([delivery]
port = 2525
tls = "need"
source_address = "192.0.2.1"
connections = 50
connections_per_destination = 5
first_retry_seconds = 60
expiry_seconds = 86400
[[route]]
domain = "Example.NET"
host = "unix:spool/lmtp"
protocol = "lmtp"
[[route]]
domain = "*"
host = "smarthost.example.com"
port = 587
tls = "verify"
user = "merpati"
password_file = "password"
)",
                         file);
  REQUIRE(s);
  const auto& d = s->delivery;
  CHECK(d.port == 2525);
  CHECK(d.tls == config::hop_tls::need);
  CHECK(d.source_address == "192.0.2.1");
  CHECK(d.connections == 50);
  CHECK(d.connections_per_destination == 5);
  CHECK(d.first_retry == std::chrono::seconds(60));
  CHECK(d.longest_retry == std::chrono::seconds(14'400));
  CHECK(d.expiry == std::chrono::seconds(86'400));
  REQUIRE(d.routes.size() == 2);
  CHECK(d.routes[0].domain == "example.net");
  CHECK(d.routes[0].host == "unix:" + (folder.path() / "spool/lmtp").string());
  CHECK(d.routes[0].protocol == config::hop_protocol::lmtp);
  CHECK(d.routes[0].tls == config::hop_tls::need);
  CHECK(d.routes[1].port == 587);
  CHECK(d.routes[1].user == "merpati");
  CHECK(d.routes[1].password == "open sesame");

  CHECK(only_error("[delivery]\nca_file = \"nowhere.pem\"\n")
        == "8: no certificates can be read from /etc/merpati/nowhere.pem; name a PEM file of authorities, readable for "
           "the user that runs merpati, or remove the line");
  CHECK(only_error("[delivery]\nfirst_retry_seconds = 20000\n")
        == "7: longest_retry_seconds in [delivery] is below first_retry_seconds; write 20000 or more");
  CHECK(only_error("[[route]]\nhost = \"h.example\"\n")
        == "7: [[route]] has no domain; add domain = \"example.net\", \".example.net\" for all below it, or \"*\" for "
           "all mail");
  CHECK(only_error("[[route]]\ndomain = \"*\"\nhost = \"h.example:25\"\n")
        == "9: host \"h.example:25\" in [[route]] is no host; write a name, a numeric address, or \"unix:PATH\"; the "
           "port goes into port = ...");
  CHECK(only_error("[[route]]\ndomain = \"*\"\nuser = \"merpati\"\n")
        == "9: [[route]] has only one of user and password_file; add the other, or remove this one");
  CHECK(only_error("[[route]]\ndomain = \"a.example\"\n[[route]]\ndomain = \"a.example\"\n")
        == "10: the route for \"a.example\" is in line 7 already; remove one of them");
  CHECK(only_error("[delivery]\nsource_address = \"here\"\n")
        == "8: source_address \"here\" is no numeric address; write one address of this machine, such as "
           "\"192.0.2.1\"");
}

TEST_CASE("a password for another server is not sent in clear") {
  test::temporary_folder folder;
  std::ofstream(folder.path() / "password") << "open sesame\n";
  const auto file = (folder.path() / "merpati.toml").string();
  const auto with = [&](const std::string& lines) {
    return config::parse(good_head + good_listener + "[[route]]\ndomain = \"*\"\nuser = \"u\"\n"
                             + "password_file = \"password\"\n" + lines,
                         file)
        .has_value();
  };
  CHECK_FALSE(with("host = \"smarthost.example\"\n"));
  CHECK_FALSE(with("host = \"smarthost.example\"\ntls = \"none\"\n"));
  CHECK(with("host = \"smarthost.example\"\ntls = \"need\"\n"));
  CHECK(with("host = \"smarthost.example\"\nimplicit_tls = true\n"));
  CHECK(with("host = \"127.0.0.1\"\n"));
}

TEST_CASE("what strangers have to bear, and who is asked about them") {
  auto s = config::parse(good_head + good_listener + R"([policy]
greet_pause_ms = 0
exempt = ["192.0.2.0/24"]
[[policy.dnsbl]]
zone = "List.Example"
weight = 2
answers = ["127.0.0.2-127.0.0.11", "127.0.1.1"]
[[policy.dnswl]]
zone = "good.example"
[policy.greylist]
enabled = true
[policy.rates]
connections_per_minute = 0
[resolver]
forwarders = ["192.0.2.53@5353"]
trust_anchor = "root.key"
)",
                         "/etc/merpati/merpati.toml");
  REQUIRE(s);
  CHECK(s->policy.greet_pause.count() == 0);
  CHECK(s->policy.lists
        == std::vector<config::address_list>{
            {"list.example", false, 2, {{0x7f000002, 0x7f00000b}, {0x7f000101, 0x7f000101}}},
            {"good.example", true, 1, {}}});
  CHECK(s->policy.greylist.enabled);
  CHECK(s->policy.rates.connections_per_minute == 0);
  CHECK(s->resolver.trust_anchor == "/etc/merpati/root.key");
  CHECK(only_error("[policy]\nexempt = [\"example.org\"]\n")
        == "8: \"example.org\" in exempt of [policy] is no address and no range; write \"192.0.2.1\", "
           "\"192.0.2.0/24\" or \"2001:db8::/32\"");
  CHECK(only_error("[[policy.dnsbl]]\nweight = 1\n")
        == "7: [[policy.dnsbl]] has no zone; add zone = \"list.example\": the domain below which the list answers");
  CHECK(only_error("[[policy.dnsbl]]\nzone = 5\n")
        == "8: zone in [[policy.dnsbl]] is a whole number, not a text; put it in double quotes");
  const std::string long_label(64, 'a');
  const std::string deep = std::string(60, 'a') + '.' + std::string(60, 'b') + '.' + std::string(60, 'c') + ".defghij";
  for (const std::string zone : {"a..b", "", ".", "a.", ".a", "a b", long_label.c_str(), deep.c_str()})
    CHECK(only_error("[[policy.dnswl]]\nzone = \"" + zone + "\"\n")
          == "8: zone \"" + zone
                 + "\" of [[policy.dnswl]] is no domain that a list can be below; write it like \"list.example\"");
  CHECK(only_error("[[policy.dnswl]]\nzone = \"a.example\"\nanswers = [\"10.0.0.1\"]\n")
        == "9: \"10.0.0.1\" in answers of [[policy.dnswl]] is no answer of a list; write \"127.0.0.2\", or "
           "\"127.0.0.2-127.0.0.11\" for a range");
  CHECK(only_error("[policy.greylist]\ndelay_seconds = 900\nwindow_seconds = 600\n")
        == "8: delay_seconds in [policy.greylist] is not below window_seconds; make it shorter: a minute is enough");
  CHECK(only_error("[resolver]\nforwarders = [\"dns.example\"]\n")
        == "8: \"dns.example\" in forwarders of [resolver] is no address of a server; write a numeric one, such as "
           "\"192.0.2.53\" or \"192.0.2.53@5353\"");
}

TEST_CASE("there are not too many lists of addresses", "[config]") {
  const auto lists = [](int bad, int good) {
    std::string out;
    for (int i = 0; i != bad + good; ++i)
      out += std::string(i < bad ? "[[policy.dnsbl]]" : "[[policy.dnswl]]") + "\nzone = \"l" + std::to_string(i)
             + ".example\"\n";
    return out;
  };
  CHECK(config::parse(good_head + good_listener + lists(15, 5), "/etc/merpati/merpati.toml")->policy.lists.size()
        == 20);
  for (const auto& text : {lists(21, 0), lists(15, 6), lists(12, 30), lists(30, 12)})
    CHECK(
        only_error(text)
        == "47: more than 20 lists of addresses in [policy], each of which is asked about each client; keep those that "
           "you need, and remove the others");
}
