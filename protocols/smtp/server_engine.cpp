#include "protocols/smtp/server_engine.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/ascii.hpp"
#include "protocols/smtp/server_commands.hpp"

namespace merpati::smtp {

namespace {

const command* find_command(std::string_view verb) noexcept {
  const auto table = command_table();
  const auto at =
      std::find_if(table.begin(), table.end(), [&](const command& c) { return ascii::iequals(c.verb, verb); });
  return at == table.end() ? nullptr : &*at;
}

} // namespace

server_engine::server_engine(server_options options) : options_(std::move(options)), tls_(options_.implicit_tls) {}

void server_engine::start() {
  if (mode_ != mode::fresh)
    throw std::logic_error("smtp: started twice");
  mode_ = mode::command;
  if (options_.kind == server_kind::mx && !tls_ && !reader_.empty())
    end_session(replies::illegal_pipelining());
  else
    greet();
}

void server_engine::greet() {
  say({220, "", options_.hostname + (options_.kind == server_kind::lmtp ? " LMTP Merpati" : " ESMTP Merpati")});
}

step server_engine::next() {
  if (mode_ == mode::fresh || question_ != question::none)
    throw std::logic_error("smtp: next() without start() or without an answer");
  for (;;) {
    if (std::exchange(abort_pending_, false))
      return data_aborted{};
    if (mode_ != mode::closed && !in_data() && errors_ >= options_.limits.errors) {
      end_session(replies::limit_exceeded());
      continue;
    }
    std::optional<step> found;
    switch (mode_) {
    case mode::data: found = next_data(); break;
    case mode::chunk: found = next_chunk(); break;
    case mode::command: found = next_command(); break;
    case mode::auth_response: found = next_auth_response(); break;
    case mode::fresh:
    case mode::closed: return close{};
    }
    if (found)
      return std::move(*found);
  }
}

// --- commands ---

std::optional<step> server_engine::next_command() {
  const auto line = reader_.next_line(line_limit());
  if (line.status != text::line_status::ok)
    return refuse_line(line.status);
  const auto space = std::min(line.text.find(' '), line.text.size());
  const auto* found = find_command(line.text.substr(0, space));
  // RFC 2033 4.1: LHLO takes the place of HELO and EHLO, which a server of LMTP does not know.
  const auto foreign = options_.kind == server_kind::lmtp ? flag_not_lmtp : flag_lmtp;
  if (!found || (found->flags & foreign) || ((found->flags & flag_xclient) && !options_.xclient_allowed)) {
    if (options_.report_unknown)
      return ask(question::unknown, unknown_command{std::string(line.text)});
    say(replies::unknown_command());
    return std::nullopt;
  }
  // RFC 5321 4.1.1: trailing spaces are borne.
  auto argument = line.text.substr(space);
  argument.remove_suffix(argument.size() - std::min(argument.find_last_not_of(' ') + 1, argument.size()));
  argument.remove_prefix(std::min(argument.find_first_not_of(' '), argument.size()));
  return run(*found, argument);
}

std::optional<step> server_engine::run(const command& found, std::string_view argument) {
  const bool submission = options_.kind == server_kind::submission;
  if ((found.flags & flag_synchronises) && !reader_.rest().empty()) {
    end_session(replies::illegal_pipelining());
    return std::nullopt;
  }
  if (found.flags & flag_idle)
    count_idle();
  if ((found.flags & flag_submission) && !submission)
    say(replies::not_implemented());
  else if (!(found.states & state()))
    say(refuse_order(found.states));
  else if ((found.flags & flag_authenticated) && submission && !authenticated_)
    say(replies::authentication_needed());
  else if ((found.flags & flag_no_argument) && !argument.empty())
    say(replies::bad_syntax("This command takes no argument"));
  else
    return found.run(*this, argument);
  return std::nullopt;
}

std::uint8_t server_engine::state() const noexcept {
  if (helo_.empty())
    return state_fresh;
  if (in_chunks_)
    return state_chunks;
  if (!sender_given_)
    return state_greeted;
  return envelope_.recipients.empty() ? state_sender : state_rcpt;
}

reply server_engine::refuse_order(std::uint8_t legal_states) const {
  switch (state()) {
  case state_fresh:
    return replies::out_of_order(options_.kind == server_kind::lmtp ? "Send LHLO first" : "Send EHLO first");
  case state_greeted: return replies::out_of_order("Need MAIL first");
  case state_sender:
    // RFC 5321 3.3: the pipelined DATA behind recipients that were all refused.
    if (legal_states == state_rcpt)
      return recipient_refused_ ? reply{554, "5.5.1", "No valid recipients"} : replies::out_of_order("Need RCPT first");
    break;
  case state_chunks: return replies::out_of_order("Need BDAT or RSET");
  default: break;
  }
  return replies::out_of_order("Not inside a mail transaction");
}

std::optional<step> server_engine::refuse_line(text::line_status status) {
  if (status == text::line_status::none)
    return need_input{};
  mode_ = mode::command;
  switch (status) {
  case text::line_status::bare_cr_lf: say(replies::bare_newline()); break;
  case text::line_status::too_long: say(replies::line_too_long()); break;
  default: end_session(replies::limit_exceeded()); break;
  }
  return std::nullopt;
}

std::size_t server_engine::line_limit() const {
  const auto& limits = options_.limits;
  const bool auth = mode_ == mode::auth_response || ascii::iequals(reader_.line_start(5), "AUTH ");
  return auth ? std::max(limits.auth_line_bytes, limits.command_line_bytes) : limits.command_line_bytes;
}

bool server_engine::auth_offered() const noexcept {
  return options_.kind == server_kind::submission && (tls_ || options_.plaintext_auth_allowed);
}

extension_set server_engine::offered() const noexcept {
  extension_set out = 0;
  if (auth_offered())
    out |= offers_auth;
  if (options_.tls_available && !tls_)
    out |= offers_starttls;
  if (tls_)
    out |= offers_require_tls; // RFC 8689 4.2.1
  if (options_.kind == server_kind::submission)
    out |= offers_priority | offers_deliver_by;
  if (options_.kind == server_kind::submission && options_.longest_hold.count() > 0)
    out |= offers_future_release;
  return out;
}

std::string server_engine::extension_list() const {
  const auto set = offered();
  std::string list = options_.hostname + "\nPIPELINING\nSIZE " + std::to_string(options_.limits.message_bytes)
                     + "\n8BITMIME\nSMTPUTF8\nCHUNKING\nBINARYMIME\nENHANCEDSTATUSCODES\nDSN";
  list += "\nLIMITS RCPTMAX=" + std::to_string(options_.limits.recipients); // RFC 9422 4
  if (set & offers_require_tls)
    list += "\nREQUIRETLS";
  if (set & offers_priority)
    list += "\nMT-PRIORITY";
  if (set & offers_deliver_by)
    list += "\nDELIVERBY";
  if (set & offers_future_release)
    list += "\nFUTURERELEASE " + std::to_string(options_.longest_hold.count()) + ' ' + options_.latest_release;
  if (set & offers_starttls)
    list += "\nSTARTTLS";
  if (set & offers_auth)
    list += "\nAUTH " + sasl::mechanism_list(tls_ ? bindings_ : sasl::channel_bindings());
  if (options_.xclient_allowed)
    list.append("\nXCLIENT ").append(xclient_attributes);
  return list + "\nHELP";
}

void server_engine::count_idle() {
  if (++idle_commands_ > options_.limits.idle_commands)
    ++errors_;
}

void server_engine::reset_transaction() noexcept {
  abort_pending_ = abort_pending_ || std::exchange(message_open_, false);
  envelope_ = {};
  sender_given_ = false;
  recipient_refused_ = false;
  in_chunks_ = false;
}

// --- questions and answers ---

step server_engine::ask(question q, step s) {
  question_ = q;
  return s;
}

// The question that is answered now; `closed` when the session has ended meanwhile.
server_engine::question server_engine::answered() {
  return mode_ == mode::closed ? question::closed : std::exchange(question_, question::none);
}

void server_engine::accept(std::string_view text) {
  switch (answered()) {
  case question::closed: return;
  case question::unknown: say(replies::unknown_command()); break;
  case question::mail:
    envelope_.sender = std::move(pending_mail_.sender);
    envelope_.parameters = std::move(pending_mail_.parameters);
    sender_given_ = true;
    say({250, "2.1.0", "Ok"});
    break;
  case question::rcpt:
    envelope_.recipients.push_back({std::move(pending_recipient_.recipient), std::move(pending_recipient_.parameters)});
    say({250, "2.1.5", "Ok"});
    break;
  case question::begin: begin_accepted(); break;
  case question::end:
    answer_all({250, "2.0.0", text.empty() ? "Ok" : "Ok: " + std::string(text)});
    end_message(true);
    break;
  default: throw std::logic_error("smtp: accept() answers no open question");
  }
}

void server_engine::refuse(const reply& why) {
  switch (answered()) {
  case question::closed: return;
  case question::claim:
  case question::unknown:
  case question::mail: break;
  case question::begin:
    if (!in_chunks_)
      break;
    chunk_refusal_ = why; // said once the chunk is read away
    mode_ = mode::chunk;
    return;
  case question::rcpt: recipient_refused_ = true; break;
  case question::end:
    if (why.closes())
      break;
    answer_all(why);
    end_message(false);
    return;
  default: throw std::logic_error("smtp: refuse() answers no open question");
  }
  if (why.closes())
    end_session(why);
  else
    say(why);
}

void server_engine::tls_started() {
  const auto q = answered();
  if (q == question::closed)
    return;
  if (q != question::tls)
    throw std::logic_error("smtp: tls_started() answers no open question");
  reader_.clear();
  forget_client();
  tls_ = true;
}

void server_engine::speaks_for(bool logged_in) {
  const auto q = answered();
  if (q == question::closed)
    return;
  if (q != question::claim)
    throw std::logic_error("smtp: speaks_for() answers no open question");
  forget_client();
  authenticated_ = logged_in;
  greet();
}

void server_engine::forget_client() {
  reset_transaction();
  helo_.clear();
  extended_ = false;
  authenticated_ = false;
  auth_mechanism_.clear();
  exchange_.reset();
}

void server_engine::shutdown(const reply& why) {
  if (mode_ == mode::closed)
    return;
  end_session(why);
}

void server_engine::say(const reply& r) {
  if (r.code >= 500)
    ++errors_;
  write_reply(r, output_);
}

void server_engine::end_session(const std::optional<reply>& farewell) {
  if (farewell)
    write_reply(*farewell, output_);
  abort_pending_ = abort_pending_ || std::exchange(message_open_, false);
  mode_ = mode::closed;
  question_ = question::none;
  reader_.clear();
}

} // namespace merpati::smtp
