#include "protocols/pop3/server_engine.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/ascii.hpp"
#include "protocols/pop3/server_commands.hpp"
#include "protocols/sasl/saslprep.hpp"

namespace merpati::pop3 {

namespace {

const command* find_command(std::string_view verb) noexcept {
  const auto table = command_table();
  const auto at =
      std::find_if(table.begin(), table.end(), [&](const command& c) { return ascii::iequals(c.verb, verb); });
  return at == table.end() || !at->run ? nullptr : &*at;
}

struct failure_text {
  std::string_view code;
  std::string_view text;
};

failure_text describe(failure why) noexcept {
  switch (why) {
  case failure::bad_credentials: return {"AUTH", "Authentication failed"};
  case failure::temporary: return {"SYS/TEMP", "Temporary failure, try again later"};
  case failure::in_use: return {"IN-USE", "Another session has the maildrop open"};
  case failure::permanent: break;
  }
  return {"SYS/PERM", "The server can't do this"};
}

} // namespace

server_engine::server_engine(server_options options) : options_(std::move(options)), tls_(options_.implicit_tls) {}

void server_engine::start() {
  if (mode_ != mode::fresh)
    throw std::logic_error("pop3: started twice");
  mode_ = mode::authorization;
  ok(options_.hostname + " Merpati POP3 ready");
}

step server_engine::next() {
  if (mode_ == mode::fresh || question_ != question::none)
    throw std::logic_error("pop3: next() without start() or without an answer");
  for (;;) {
    if (mode_ != mode::closed && errors_ >= options_.limits.errors)
      shutdown("", "Too many errors, closing connection");
    if (mode_ == mode::closed)
      return close{};
    // Replies to pipelined commands fill the output too.
    if (output_.size() >= options_.limits.output_bytes)
      return send_output{};
    auto found = listing_ ? continue_listing() : next_line();
    if (found)
      return std::move(*found);
  }
}

std::optional<step> server_engine::next_line() {
  const bool auth = mode_ == mode::auth_response;
  const auto line = reader_.next_line(auth ? options_.limits.auth_line_bytes : options_.limits.command_line_bytes);
  if (line.status == text::line_status::none)
    return need_input{};
  if (line.status == text::line_status::endless) {
    shutdown("", "Line too long, closing connection");
    return std::nullopt;
  }
  if (auth)
    mode_ = mode::authorization;
  if (line.status != text::line_status::ok) {
    bad_command(line.status == text::line_status::too_long ? "Line too long" : "Lines end with CRLF");
    return std::nullopt;
  }
  return auth ? take_auth_step(exchange_->receive(line.text)) : run_command(line.text);
}

std::optional<step> server_engine::run_command(std::string_view line) {
  const auto verb = line.substr(0, line.find(' '));
  const auto* found = find_command(verb);
  if (!found) {
    bad_command("Unknown command");
    return std::nullopt;
  }
  if ((found->flags & flag_synchronises) && !reader_.rest().empty()) {
    shutdown("", "Nothing may be sent ahead of this command's reply, closing connection");
    return std::nullopt;
  }
  // A password keeps the spaces at its ends (RFC 1939 7); nothing else has any.
  auto argument = line.substr(std::min(verb.size() + 1, line.size()));
  if (found->verb != "PASS")
    argument = ascii::trim(argument);
  const auto state = mode_ == mode::transaction ? state_transaction : state_authorization;
  if (!(found->states & state))
    bad_command(state == state_transaction ? "Logged in already" : "Log in first");
  else if ((found->flags & flag_login) && !login_possible())
    refuse_plaintext();
  else if ((found->flags & flag_no_argument) && !argument.empty())
    bad_command("This command takes no argument");
  else
    return found->run(*this, argument);
  return std::nullopt;
}

// --- login ---

std::optional<step> server_engine::begin_auth(std::string_view mechanism, std::optional<std::string_view> initial) {
  exchange_ = sasl::line_exchange::open(mechanism, options_.scram_nonce, offered_bindings());
  if (exchange_)
    return take_auth_step(exchange_->begin(initial));
  bad_command("Mechanism not supported");
  return std::nullopt;
}

std::optional<step> server_engine::take_auth_step(sasl::line_exchange::step s) {
  using exchange = sasl::line_exchange;
  if (auto* next = std::get_if<exchange::challenge_line>(&s)) {
    mode_ = mode::auth_response;
    output_ += "+ " + next->base64 + "\r\n";
    return std::nullopt;
  }
  if (auto* password = std::get_if<exchange::check_password>(&s))
    return ask(question::login,
               login{std::move(password->authzid), std::move(password->authcid), std::move(password->password)});
  if (auto* wanted = std::get_if<exchange::keys_wanted>(&s))
    return ask(question::keys, scram_lookup{std::move(wanted->username)});
  if (auto* done = std::get_if<exchange::proven>(&s))
    return ask(question::login, scram_proven{std::move(done->authzid), std::move(done->username)});
  if (std::holds_alternative<exchange::cancelled>(s)) // RFC 5034 4
    bad_command("Authentication cancelled");
  else if (std::holds_alternative<exchange::malformed>(s))
    bad_command("Malformed authentication response");
  else
    fail_login();
  return std::nullopt;
}

void server_engine::scram_keys(sasl::scram_credentials of_user) {
  if (answer(question::keys))
    take_auth_step(exchange_->keys(std::move(of_user))); // always a challenge
}

std::optional<step> server_engine::ask_login(std::string_view user, std::string_view password) {
  auto name = sasl::saslprep(user, sasl::saslprep_use::query);
  auto secret = sasl::saslprep(password, sasl::saslprep_use::query);
  if (name && secret && !name->empty() && !secret->empty())
    return ask(question::login, login{{}, std::move(*name), std::move(*secret)});
  fail_login();
  return std::nullopt;
}

void server_engine::fail_login() {
  if (++failed_logins_ >= options_.limits.failed_logins)
    shutdown("AUTH", "Authentication failed, closing connection");
  else
    error(describe(failure::bad_credentials).code, describe(failure::bad_credentials).text);
}

// RFC 3206 4: what is wrong is the way of the login, so that a client asks its user for help instead of trying again.
void server_engine::refuse_plaintext() {
  ++errors_;
  error("AUTH", options_.tls_available ? "Encryption required, use STLS first" : "Encryption required");
}

void server_engine::login_accepted(std::vector<maildrop_entry> maildrop) {
  if (!answer(question::login))
    return;
  mode_ = mode::transaction;
  maildrop_ = std::move(maildrop);
  reset_deletions();
  ok(std::to_string(maildrop_.size()) + " messages (" + std::to_string(octets_) + " octets)");
}

void server_engine::login_refused(failure why) {
  if (!answer(question_ == question::keys ? question::keys : question::login))
    return;
  if (why == failure::bad_credentials)
    fail_login();
  else
    error(describe(why).code, describe(why).text);
}

void server_engine::tls_started() {
  if (!answer(question::tls))
    return;
  reader_.clear();
  user_.clear();
  tls_ = true;
}

// --- maildrop ---

void server_engine::reset_deletions() {
  deleted_.assign(maildrop_.size(), false);
  deleted_count_ = 0;
  octets_ = 0;
  for (const auto& entry : maildrop_)
    octets_ += entry.size_bytes;
}

void server_engine::begin_text(std::size_t index, std::optional<std::uint32_t> top_lines) {
  text_ok_ = top_lines ? "Top of message follows" : std::to_string(maildrop_[index].size_bytes) + " octets";
  stuffing_ = text::dot_stuffing_writer();
  top_ = top_lines ? std::optional(top_filter(*top_lines)) : std::nullopt;
}

void server_engine::retrieve_accepted() {
  if (!answer(question::retrieve))
    return;
  ok(text_ok_);
  question_ = question::body;
}

void server_engine::retrieve_refused(failure why) {
  if (!answer(question::retrieve))
    return;
  error(describe(why).code, describe(why).text);
}

bool server_engine::body(std::string_view octets) {
  if (mode_ == mode::closed)
    return false;
  if (question_ != question::body)
    throw std::logic_error("pop3: body() without a message");
  stuffing_.write(top_ ? top_->take(octets) : octets, output_);
  return !top_ || !top_->done();
}

void server_engine::body_end() {
  if (!answer(question::body))
    return;
  stuffing_.finish(output_);
}

void server_engine::body_failed() {
  if (!answer(question::body))
    return;
  end_session();
}

void server_engine::committed() {
  if (!answer(question::commit))
    return;
  ok("Bye");
  end_session();
}

void server_engine::commit_failed(failure why) {
  if (!answer(question::commit))
    return;
  error(describe(why).code, "Some deleted messages were not removed");
  end_session();
}

// --- replies ---

step server_engine::ask(question q, step s) {
  question_ = q;
  return s;
}

// True when the session goes on.
bool server_engine::answer(question q) {
  if (mode_ == mode::closed)
    return false;
  if (question_ != q)
    throw std::logic_error("pop3: an answer without its question");
  question_ = question::none;
  return true;
}

void server_engine::ok(std::string_view text) {
  output_ += text.empty() ? "+OK" : "+OK ";
  output_ += text;
  output_ += "\r\n";
}

void server_engine::error(std::string_view response_code, std::string_view text) {
  output_ += "-ERR ";
  if (!response_code.empty()) {
    output_ += '[';
    output_ += response_code;
    output_ += "] ";
  }
  output_ += text;
  output_ += "\r\n";
}

void server_engine::bad_command(std::string_view text) {
  ++errors_;
  error("", text);
}

void server_engine::shutdown(std::string_view response_code, std::string_view text) {
  if (mode_ == mode::closed)
    return;
  // Inside a message the reply would be taken for a line of it.
  if (question_ != question::body && !listing_)
    error(response_code, text);
  end_session();
}

void server_engine::end_session() {
  mode_ = mode::closed;
  question_ = question::none;
  listing_.reset();
  reader_.clear();
}

} // namespace merpati::pop3
