#include "actors/session/filter_chain.hpp"

#include <algorithm>
#include <utility>

#include "base/ip_address.hpp"
#include "base/log.hpp"
#include "protocols/milter/header_changes.hpp"
#include "protocols/milter/protocol.hpp"

namespace merpati::session {

using runtime::task;

namespace {

smtp::reply rejected(const milter::said& said) {
  return said.reply.value_or(smtp::reply{550, "5.7.1", "Refused by a filter"});
}

smtp::reply postponed(const milter::said& said) {
  return said.reply.value_or(smtp::reply{451, "4.7.1", "A filter asks to try again later"});
}

/// The parameters of MAIL as the client would write them.
void add_parameters(std::vector<std::string>& out, const smtp::mail_parameters& p) {
  if (p.size_bytes)
    out.push_back("SIZE=" + std::to_string(*p.size_bytes));
  if (p.body == smtp::body_type::eight_bit)
    out.emplace_back("BODY=8BITMIME");
  if (p.body == smtp::body_type::binary)
    out.emplace_back("BODY=BINARYMIME");
  if (p.utf8)
    out.emplace_back("SMTPUTF8");
}

std::optional<smtp::mailbox> mailbox_of(std::string_view text) {
  if (!text.starts_with('<')) {
    auto bare = smtp::parse_mailbox(text, {.utf8 = true});
    return bare ? std::optional(std::move(*bare)) : std::nullopt;
  }
  auto path = smtp::parse_forward_path(text, {.utf8 = true});
  return path ? std::optional(std::move(path->path)) : std::nullopt;
}

} // namespace

filter_chain::filter_chain(runtime::session_io& io, const services& services, const smtp::server_engine& engine,
                           const std::vector<config::milter>& filters, std::string listener_kind)
    : io_(io), services_(services), engine_(engine), filters_(filters), listener_kind_(std::move(listener_kind)) {}

filter_chain::~filter_chain() {
  for (auto& each : links_)
    caf::anon_send(each.actor, runtime::stop_request{});
}

/// A connection of its own to each filter, for one client.
void filter_chain::connect_anew() {
  for (auto& each : links_)
    caf::anon_send(each.actor, runtime::stop_request{});
  links_.clear();
  auto& self = io_.actor();
  for (const auto& settings : filters_)
    links_.push_back({settings, filter::spawn_milter(self.system(), settings, services_.connector(), self.address())});
}

milter::macro_table filter_chain::macros() const {
  const auto& info = io_.info();
  const auto name = client_name_.empty() ? std::string("unknown") : client_name_;
  milter::macro_table out{{"j", services_.hostname},
                          {"{daemon_name}", listener_kind_},
                          {"{daemon_addr}", info.local_address},
                          {"{daemon_port}", std::to_string(info.local_port)},
                          {"v", "Merpati"},
                          {"_", name + " [" + info.remote_address + "]"},
                          {"{client_addr}", info.remote_address},
                          {"{client_name}", name},
                          {"{client_ptr}", name},
                          {"{client_port}", std::to_string(info.remote_port)}};
  if (const auto* tls = io_.tls()) {
    out["{tls_version}"] = tls->info().version;
    out["{cipher}"] = tls->info().cipher;
    out["{cipher_bits}"] = std::to_string(tls->info().cipher_bits);
  }
  if (!account_.empty()) {
    out["{auth_authen}"] = account_;
    out["{auth_author}"] = account_;
    out["{auth_type}"] = engine_.auth_mechanism();
  }
  if (from_) {
    out["{mail_addr}"] = from_->sender ? smtp::write_mailbox(*from_->sender) : std::string();
    out["{mail_host}"] = from_->sender ? from_->sender->domain : std::string();
    out["{mail_mailer}"] = "smtp";
  }
  return out;
}

/// Who the client is, where the filters don't know yet.
std::vector<milter::step> filter_chain::introduction() {
  const auto& info = io_.info();
  auto client = info.remote_address + ' ' + std::to_string(info.remote_port);
  std::vector<milter::step> steps;
  if (told_client_.substr(0, told_client_.find('\n')) != client) {
    connect_anew();
    const auto address = ip_address::parse(info.remote_address);
    milter::connect_step connected;
    connected.host = client_name_.empty() ? "[" + info.remote_address + "]" : client_name_;
    connected.family = !address           ? milter::address_family::unknown
                       : address->is_v6() ? milter::address_family::inet6
                                          : milter::address_family::inet;
    connected.port = info.remote_port;
    connected.address = info.remote_address;
    steps.emplace_back(std::move(connected));
  }
  auto told = client + '\n' + engine_.helo();
  if (told_client_ != told)
    steps.emplace_back(milter::helo_step{engine_.helo()});
  told_client_ = std::move(told);
  return steps;
}

task<std::optional<smtp::reply>> filter_chain::ask(link& to, std::vector<milter::step> steps,
                                                   milter::macro_table macros, milter::said& said) {
  filter::filter_steps request;
  request.steps = std::move(steps);
  request.macros = std::move(macros);
  auto answer = co_await io_.ask<filter::filter_verdict>(to.actor, std::move(request));
  if (!answer || !answer->said) {
    if (to.settings.accept_when_down)
      co_return std::nullopt;
    co_return smtp::replies::part_unavailable();
  }
  said = std::move(*answer->said);
  switch (said.verdict) {
  case milter::verdict::proceed:
  case milter::verdict::skip:
  case milter::verdict::accept: break;
  case milter::verdict::discard: discard_ = true; break;
  case milter::verdict::reject: co_return rejected(said);
  case milter::verdict::tempfail: co_return postponed(said);
  case milter::verdict::shutdown: co_return smtp::replies::limit_exceeded();
  }
  co_return std::nullopt;
}

task<std::optional<smtp::reply>> filter_chain::ask_all(std::vector<milter::step> steps, milter::macro_table macros) {
  for (auto& each : links_) {
    milter::said said;
    auto refused = co_await ask(each, steps, macros, said);
    if (refused)
      co_return refused;
    if (discard_)
      break;
  }
  co_return std::nullopt;
}

task<std::optional<smtp::reply>> filter_chain::unknown(std::string line) {
  auto steps = introduction();
  steps.emplace_back(milter::unknown_step{std::move(line)});
  const bool discarding = discard_; // no message that could be dropped hangs on this command
  auto refused = co_await ask_all(std::move(steps), macros());
  discard_ = discarding;
  co_return refused;
}

task<std::optional<smtp::reply>> filter_chain::sender(smtp::mail_from from) {
  if (is_empty())
    co_return std::nullopt;
  abort();
  discard_ = false;
  from_ = std::move(from);
  auto steps = introduction();
  milter::mail_step mail;
  mail.arguments.push_back(smtp::write_path(from_->sender));
  add_parameters(mail.arguments, from_->parameters);
  steps.emplace_back(std::move(mail));
  message_open_ = true;
  co_return co_await ask_all(std::move(steps), macros());
}

task<std::optional<smtp::reply>> filter_chain::recipient(smtp::rcpt_to to) {
  if (is_empty() || discard_)
    co_return std::nullopt;
  auto known = macros();
  known["{rcpt_addr}"] = smtp::write_mailbox(to.recipient);
  known["{rcpt_host}"] = to.recipient.domain;
  known["{rcpt_mailer}"] = "smtp";
  std::vector<milter::step> steps;
  steps.emplace_back(milter::rcpt_step{{smtp::write_path(to.recipient)}});
  co_return co_await ask_all(std::move(steps), std::move(known));
}

task<std::optional<smtp::reply>> filter_chain::content(filtered_message& message) {
  message_open_ = false;
  for (auto& each : links_) {
    if (discard_)
      break;
    auto refused = co_await content_of(each, message);
    if (refused) {
      log::info("smtp: message {} is refused by {}: {} {}", message.id, each.settings.name, refused->code,
                refused->text);
      co_return refused;
    }
  }
  if (discard_)
    log::info("smtp: message {} is dropped by a filter, its sender is told nothing", message.id);
  message.discard = discard_;
  co_return std::nullopt;
}

task<std::optional<smtp::reply>> filter_chain::content_of(link& to, filtered_message& message) {
  auto known = macros();
  known["i"] = message.id;
  std::vector<milter::step> steps;
  steps.emplace_back(milter::data_step{});
  for (auto& field : milter::split_header_block(message.header))
    steps.emplace_back(milter::header_step{std::move(field.name), std::move(field.value)});
  steps.emplace_back(milter::end_of_headers_step{});
  milter::said said;
  auto refused = co_await ask(to, std::move(steps), known, said);
  bool is_over = refused || discard_ || said.verdict == milter::verdict::accept;

  // The body in pieces, from where it is.
  const auto size = message.new_body ? message.new_body->size() : message.taken->size_bytes() - message.body_at;
  for (std::uint64_t at = 0; at < size && !is_over;) {
    const auto length = std::min<std::uint64_t>(size - at, milter::data_max_bytes);
    milter::body_step piece;
    if (message.new_body) {
      piece.octets = message.new_body->substr(static_cast<std::size_t>(at), static_cast<std::size_t>(length));
    } else {
      auto octets = co_await mail::read_taken(io_, *services_.store, *message.taken, message.body_at + at, length);
      if (!octets)
        co_return smtp::reply_for(octets.error().code);
      piece.octets = std::move(*octets);
    }
    at += length;
    std::vector<milter::step> one;
    one.emplace_back(std::move(piece));
    said = {};
    refused = co_await ask(to, std::move(one), known, said);
    is_over = refused || discard_ || said.verdict == milter::verdict::accept;
    if (said.verdict == milter::verdict::skip)
      break;
  }
  if (is_over)
    co_return refused;
  std::vector<milter::step> end;
  end.emplace_back(milter::end_of_message_step{});
  said = {};
  refused = co_await ask(to, std::move(end), known, said);
  if (!refused && !discard_)
    apply(to, said, message);
  co_return refused;
}

void filter_chain::apply(const link& from, const milter::said& said, filtered_message& message) {
  using kind = milter::modification::kind;
  bool header = false;
  std::optional<std::string> body;
  for (const auto& change : said.changes) {
    switch (change.what) {
    case kind::add_header:
    case kind::insert_header:
    case kind::change_header: header = true; break;
    case kind::replace_body: body = body.value_or("") + change.value; break;
    case kind::quarantine: message.quarantine = from.settings.name + ": " + change.value; break;
    case kind::add_recipient:
    case kind::delete_recipient:
    case kind::change_sender: {
      const bool to_null = change.what == kind::change_sender && (change.name == "<>" || change.name.empty());
      auto address = to_null ? std::nullopt : mailbox_of(change.name);
      if (!address && !to_null) {
        log::warning("milter {}: {} is no address, its change of message {} is left out", from.settings.name,
                     change.name, message.id);
        break;
      }
      if (change.what == kind::add_recipient)
        message.added.push_back({std::move(*address), {}});
      else if (change.what == kind::delete_recipient)
        message.removed.push_back(smtp::canonical_address(*address).value_or(change.name));
      else
        message.sender = std::move(address);
      break;
    }
    }
  }
  if (body) {
    message.new_body = std::move(body);
    message.changed = true;
  }
  if (header) {
    // The empty line is not part of the fields.
    const bool ended = message.header.ends_with("\r\n\r\n") || message.header == "\r\n";
    if (ended)
      message.header.resize(message.header.size() - 2);
    message.header = milter::apply_header_changes(message.header, said.changes);
    if (ended)
      message.header += "\r\n";
    message.changed = true;
  }
}

void filter_chain::abort() {
  if (!std::exchange(message_open_, false))
    return;
  for (auto& each : links_)
    caf::anon_send(each.actor, filter::filter_abort{});
}

} // namespace merpati::session
