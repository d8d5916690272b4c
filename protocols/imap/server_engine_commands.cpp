// The commands that the engine carries out by itself, and what it notices of the others.
#include "base/ascii.hpp"
#include "protocols/imap/engine_impl.hpp"
#include "protocols/imap/response_writer.hpp"
#include "protocols/sasl/saslprep.hpp"

namespace merpati::imap {

step server_engine::impl::run(commands::capability&, command&) {
  out += "* CAPABILITY " + capabilities() + "\r\n";
  respond(ok("CAPABILITY completed"));
  return none();
}

step server_engine::impl::run(commands::logout&, command&) {
  write_bye("", "Logging out", out);
  respond(ok("LOGOUT completed"));
  state = session_state::logout;
  now = phase::closing;
  input.clear();
  return none();
}

step server_engine::impl::run(commands::starttls&, command&) {
  if (tls || !options.starttls_available) {
    respond(bad(tls ? "TLS is already active" : "STARTTLS is not available"));
    return none();
  }
  respond(ok("Begin TLS negotiation now"));
  now = phase::handshake;
  return steps::start_tls{};
}

step server_engine::impl::run(commands::login& c, command&) {
  auto user = sasl::saslprep(c.user, sasl::saslprep_use::query);
  auto password = sasl::saslprep(c.password, sasl::saslprep_use::query);
  if (!user || !password || user->empty() || password->empty()) {
    login_refused(error{errc::auth_failed, {}});
    return none();
  }
  now = phase::logging_in;
  return steps::log_in{*std::move(user), *std::move(password), {}};
}

step server_engine::impl::run(commands::authenticate& c, command&) {
  exchange = sasl::line_exchange::open(c.mechanism, options.scram_nonce, tls ? bindings : sasl::channel_bindings());
  if (!exchange) {
    respond(no("CANNOT", "Mechanism not supported"));
    return none();
  }
  return carry(exchange->begin(c.initial_response));
}

step server_engine::impl::sasl_line_done() {
  auto line = std::move(text);
  next_command();
  line.pop_back();
  if (line.empty() || line.back() != '\r') {
    respond(bad("Lines end with CRLF"));
    return none();
  }
  line.pop_back();
  return carry(exchange->receive(line));
}

step server_engine::impl::carry(sasl::line_exchange::step s) {
  using exchange_type = sasl::line_exchange;
  if (auto* next = std::get_if<exchange_type::challenge_line>(&s)) {
    out += "+ " + next->base64 + "\r\n";
    now = phase::sasl;
    return none();
  }
  if (auto* password = std::get_if<exchange_type::check_password>(&s)) {
    now = phase::logging_in;
    return steps::log_in{std::move(password->authcid), std::move(password->password), std::move(password->authzid)};
  }
  if (auto* wanted = std::get_if<exchange_type::keys_wanted>(&s)) {
    now = phase::logging_in;
    return steps::scram_lookup{std::move(wanted->username)};
  }
  if (auto* done = std::get_if<exchange_type::proven>(&s)) {
    now = phase::logging_in;
    return steps::scram_proven{std::move(done->username), std::move(done->authzid)};
  }
  if (std::holds_alternative<exchange_type::cancelled>(s)) // RFC 9051 6.2.2
    respond(bad("AUTHENTICATE cancelled"));
  else if (std::holds_alternative<exchange_type::malformed>(s))
    respond(bad("No message of this mechanism in base64"));
  else
    login_refused(error{errc::auth_failed, {}});
  return none();
}

void server_engine::impl::login_refused(const error& reason) {
  auto answer = reply_for(reason);
  if (reason.code == errc::not_permitted)
    answer = no("AUTHORIZATIONFAILED", "Not allowed to act as this user"); // RFC 5530 3
  next_command();
  respond(answer);
  if (++failed_logins >= bounds().failed_logins)
    say_bye("", "Too many failed logins");
}

step server_engine::impl::run(commands::enable& c, command&) {
  out += "* ENABLED";
  auto turn_on = [&](bool& what, std::string_view name) {
    what = true;
    out += ' ';
    out += name;
  };
  for (const auto& name : c.capabilities) {
    if (name == "IMAP4REV2" && options.offer_imap4rev2)
      turn_on(enabled.imap4rev2, "IMAP4rev2");
    else if (name == "CONDSTORE" && options.offer_condstore)
      turn_on(enabled.condstore, "CONDSTORE");
    else if (name == "QRESYNC" && options.offer_qresync) {
      turn_on(enabled.qresync, "QRESYNC");
      enabled.condstore = true; // RFC 7162 3.2.3
    }
  }
  out += "\r\n";
  respond(ok("ENABLE completed"));
  return none();
}

step server_engine::impl::run(commands::id& c, command&) {
  client_id = std::move(c.fields);
  out += "* ID (\"name\" ";
  write_string(options.server_name, false, out);
  for (const auto& [name, value] : options.id_fields)
    for (const auto* s : {&name, &value}) {
      out += ' ';
      write_string(*s, false, out);
    }
  out += ")\r\n";
  respond(ok("ID completed"));
  return none();
}

step server_engine::impl::run(commands::get_namespace&, command&) {
  out += "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"; // RFC 2342 5: personal, others', shared
  respond(ok("NAMESPACE completed"));
  return none();
}

step server_engine::impl::run(commands::idle&, command&) {
  out += "+ Idling\r\n";
  idle_malformed = false;
  now = phase::idling;
  return steps::idle_begin{};
}

step server_engine::impl::idle_line_done() {
  auto line = std::move(text);
  next_command();
  idle_malformed = !ascii::iequals(line, "DONE\r\n"); // RFC 2177 3
  now = phase::executing;
  return steps::idle_end{};
}

step server_engine::impl::run(commands::select& c, command& whole) {
  if (c.known && !enabled.qresync) { // RFC 7162 3.2.5
    respond(bad("QRESYNC has to be enabled first"));
    return none();
  }
  if (c.condstore)
    enabled.condstore = true;
  // RFC 9051 6.3.2: the old mailbox is closed whatever becomes of the new one
  if (state == session_state::selected)
    out += "* OK [CLOSED] Previous mailbox is closed\r\n";
  state = session_state::authenticated;
  selecting = true;
  return execute(whole);
}

step server_engine::impl::run(commands::close&, command& whole) {
  closing_mailbox = true;
  return execute(whole);
}

step server_engine::impl::run(commands::unselect&, command& whole) {
  closing_mailbox = true;
  return execute(whole);
}

step server_engine::impl::run(commands::compress& c, command&) {
  if (c.mechanism != "DEFLATE" || !options.offer_compress) {
    respond(bad("Compression mechanism not supported"));
    return none();
  }
  if (compressed) {
    respond(no("COMPRESSIONACTIVE", "DEFLATE is active already"));
    return none();
  }
  respond(ok("DEFLATE active"));
  now = phase::compressing;
  return steps::start_compression{};
}

step server_engine::impl::run(commands::unauthenticate&, command& whole) {
  if (compressed) { // it would have to end with this command (RFC 8437 3); whoever compresses connects anew
    respond(no("CANNOT", "Not on a compressed connection"));
    return none();
  }
  leaving_account = true;
  return execute(whole);
}

step server_engine::impl::run(commands::status& c, command& whole) {
  if ((c.items & status_item::highest_modseq) != 0)
    enabled.condstore = true;
  return execute(whole);
}

step server_engine::impl::run(commands::fetch& c, command& whole) {
  if (c.vanished && !enabled.qresync) {
    respond(bad("QRESYNC has to be enabled first"));
    return none();
  }
  if ((c.items.attributes & fetch_attribute::modseq) != 0)
    enabled.condstore = true;
  return execute(whole);
}

step server_engine::impl::run(commands::store& c, command& whole) {
  if (c.unchanged_since)
    enabled.condstore = true;
  return execute(whole);
}

step server_engine::impl::run(commands::search& c, command& whole) {
  return execute_search(c.key, whole);
}

step server_engine::impl::run(commands::sort& c, command& whole) {
  return execute_search(c.key, whole);
}

step server_engine::impl::run(commands::thread& c, command& whole) {
  return execute_search(c.key, whole);
}

step server_engine::impl::execute_search(const search_key& key, command& whole) {
  if (uses_modseq(key))
    enabled.condstore = true;
  return execute(whole);
}

step server_engine::impl::execute(command& whole) {
  now = phase::executing;
  return steps::execute{std::move(whole)};
}

void server_engine::impl::finish(const reply& answer) {
  if (now == phase::closing)
    return;
  auto said = answer;
  if (idle_malformed && now == phase::executing)
    said = bad("Expected DONE");
  if (said.text.empty())
    said.text = std::string(verb) + (said.status == reply_status::ok ? " completed" : " failed");
  if (selecting && said.status == reply_status::ok)
    state = session_state::selected;
  if (closing_mailbox && said.status == reply_status::ok)
    state = session_state::authenticated;
  if (leaving_account && said.status == reply_status::ok) {
    state = session_state::not_authenticated;
    enabled = {};
    client_id.clear();
  }
  selecting = closing_mailbox = leaving_account = idle_malformed = false;
  next_command();
  respond(said);
}

} // namespace merpati::imap
