#include "protocols/milter/client_engine.hpp"

#include <algorithm>
#include <array>

#include "protocols/milter/protocol.hpp"

namespace merpati::milter {

namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

struct step_row {
  command code;
  std::uint32_t unwanted; ///< the flag that says that the filter has no use for it
  std::uint32_t unanswered;
  std::optional<macro_stage> macros;
};

/// In the order of the variant.
constexpr std::array<step_row, std::variant_size_v<step>> rows{{
    {command::connect, protocol::no_connect, protocol::no_reply_connect, macro_stage::connect},
    {command::helo, protocol::no_helo, protocol::no_reply_helo, macro_stage::helo},
    {command::mail, protocol::no_mail, protocol::no_reply_mail, macro_stage::mail},
    {command::rcpt, protocol::no_rcpt, protocol::no_reply_rcpt, macro_stage::rcpt},
    {command::data, protocol::no_data, protocol::no_reply_data, macro_stage::data},
    {command::unknown, protocol::no_unknown, protocol::no_reply_unknown, std::nullopt},
    {command::header, protocol::no_headers, protocol::no_reply_header, std::nullopt},
    {command::end_of_headers, protocol::no_end_of_headers, protocol::no_reply_end_of_headers,
     macro_stage::end_of_headers},
    {command::body, protocol::no_body, protocol::no_reply_body, std::nullopt},
    {command::end_of_message, 0, 0, macro_stage::end_of_message},
}};

template <class T>
constexpr std::size_t index_of = step(T{}).index();

bool about_client(std::size_t index) {
  return rows[index].code == command::connect || rows[index].code == command::helo;
}

/// Ends what the filter knows of the message, unless it was only a recipient that it judged.
bool ends_message(std::size_t index, verdict v) {
  if (about_client(index) || rows[index].code == command::unknown)
    return false;
  switch (v) {
  case verdict::proceed:
  case verdict::skip: return false;
  case verdict::reject:
  case verdict::tempfail: return rows[index].code != command::rcpt;
  case verdict::accept:
  case verdict::discard:
  case verdict::shutdown: return true;
  }
  return true;
}

} // namespace

void client_engine::start() {
  write_packet(static_cast<char>(command::negotiate), write_offer(), output_);
  waits_ = wait::negotiation;
}

bool client_engine::wants_body() const noexcept {
  return (options_.steps & protocol::no_body) == 0 && !skip_body_ && !client_over_ && !message_over_ && !broken_;
}

/// Nothing is asked about it any more.
bool client_engine::is_over(const step& what) const noexcept {
  if (client_over_)
    return true;
  if (std::holds_alternative<connect_step>(what) || std::holds_alternative<helo_step>(what)
      || std::holds_alternative<unknown_step>(what))
    return false;
  return message_over_;
}

void client_engine::begin(const step& what, const macro_table& macros) {
  if (broken_)
    return;
  if (waits_ != wait::nothing) {
    (void)fail_with("asked before it had answered");
    return;
  }
  step_ = what.index();
  progress_ = 0;
  if (std::holds_alternative<mail_step>(what)) {
    message_over_ = false;
    skip_body_ = false;
    changes_.clear();
    change_bytes_ = 0;
    body_bytes_ = 0;
  }
  waits_ = wait::nobody;
  if (is_over(what))
    return;
  if (!about_client(step_) && !std::holds_alternative<unknown_step>(what))
    message_open_ = true;
  const auto& row = rows[step_];
  // As sendmail does: the macros of a step come even where the step itself is not wanted.
  if (row.macros)
    send_macros(static_cast<char>(row.code), *row.macros, macros);
  if ((options_.steps & row.unwanted) != 0 || (std::holds_alternative<body_step>(what) && skip_body_))
    return;
  send_step(what, static_cast<char>(row.code));
  if ((options_.steps & row.unanswered) == 0)
    waits_ = wait::filter;
}

void client_engine::send_macros(char code, macro_stage stage, const macro_table& macros) {
  const auto& asked = options_.macros[static_cast<std::size_t>(stage)];
  std::string data(1, code);
  for (const auto& name : asked ? *asked : default_macros(stage)) {
    const auto found = macros.find(name);
    if (found == macros.end() || found->second.empty())
      continue;
    std::string pair;
    append_text(name, pair);
    append_text(found->second, pair);
    if (data.size() + pair.size() <= data_max_bytes)
      data += pair;
  }
  if (data.size() > 1)
    write_packet(static_cast<char>(command::macro), data, output_);
}

std::string client_engine::data_of(const step& what) const {
  std::string out;
  auto texts = [&out](const std::vector<std::string>& all) {
    for (const auto& text : all)
      append_text(text, out);
  };
  std::visit(overloaded{
                 [&](const connect_step& s) {
                   append_text(s.host, out);
                   out.push_back(static_cast<char>(s.family));
                   if (s.family == address_family::unknown)
                     return;
                   out.push_back(static_cast<char>(static_cast<unsigned char>(s.port >> 8u)));
                   out.push_back(static_cast<char>(static_cast<unsigned char>(s.port & 0xffu)));
                   append_text(s.address, out);
                 },
                 [&](const helo_step& s) { append_text(s.name, out); },
                 [&](const mail_step& s) { texts(s.arguments); },
                 [&](const rcpt_step& s) { texts(s.arguments); },
                 [&](const unknown_step& s) { append_text(s.line, out); },
                 [&](const header_step& s) {
                   std::string_view value = s.value;
                   // A filter of the old way puts the first space back by itself.
                   if ((options_.steps & protocol::header_leading_space) == 0 && value.starts_with(' '))
                     value.remove_prefix(1);
                   append_text(s.name, out);
                   append_text(value, out);
                 },
                 [&](const body_step& s) { out = s.octets; },
                 [](const auto&) {},
             },
             what);
  return out;
}

void client_engine::send_step(const step& what, char code) {
  auto data = data_of(what);
  // A filter would hang up at a longer packet. Only a header or a command of absurd length is cut.
  if (data.size() > data_max_bytes) {
    data.resize(data_max_bytes);
    if (!std::holds_alternative<body_step>(what))
      data.back() = '\0';
  }
  write_packet(code, data, output_);
}

void client_engine::abort_message() {
  if (waits_ == wait::filter) {
    (void)fail_with("was interrupted before it had answered");
    return;
  }
  waits_ = wait::nothing;
  if (message_open_ && !message_over_ && !broken_)
    write_packet(static_cast<char>(command::abort), {}, output_);
  message_open_ = false;
  message_over_ = false;
  skip_body_ = false;
  changes_.clear();
}

void client_engine::quit() {
  if (!broken_)
    write_packet(static_cast<char>(command::quit), {}, output_);
}

bool client_engine::restart() {
  if (broken_ || waits_ != wait::nothing || options_.version < newest_version)
    return false;
  abort_message();
  write_packet(static_cast<char>(command::quit_new_connection), {}, output_);
  client_over_ = false;
  return true;
}

answer client_engine::next() {
  if (broken_)
    return *broken_;
  if (waits_ == wait::nobody) {
    waits_ = wait::nothing;
    return decide({});
  }
  for (;;) {
    auto got = reader_.next();
    if (!got)
      return fail_with(got.error().what);
    if (!*got)
      return need_input{};
    if (auto told = take(**got))
      return std::move(*told);
  }
}

/// What the packet means to the caller; nothing when it is kept for later.
std::optional<answer> client_engine::take(const packet& p) {
  if (waits_ == wait::negotiation) {
    if (p.code != static_cast<char>(response::negotiate))
      return fail_with("refused the negotiation with octet " + std::to_string(static_cast<unsigned char>(p.code)));
    auto options = parse_answer(p.data);
    if (!options)
      return fail_with(options.error().what);
    options_ = std::move(*options);
    waits_ = wait::nothing;
    return ready{};
  }
  auto reply = parse_filter_reply(p);
  if (!reply)
    return fail_with(reply.error().what);
  return take_reply(std::move(*reply));
}

std::optional<answer> client_engine::take_reply(filter_reply reply) {
  if (waits_ != wait::filter)
    return fail_with("spoke unasked");
  const bool at_end = rows[step_].code == command::end_of_message;
  switch (reply.what) {
  case filter_reply::kind::connection_failed: return fail_with("says that its own connection failed");
  case filter_reply::kind::progress:
    if (++progress_ > limits_.progress_reports)
      return fail_with("reports progress without end");
    return progressed{};
  case filter_reply::kind::modification:
    if (!at_end)
      return fail_with("changes the message before its end");
    if (auto why_not = keep(std::move(reply.change)))
      return fail_with(std::move(*why_not));
    return std::nullopt;
  case filter_reply::kind::verdict: break;
  }
  if (reply.verdict == verdict::skip && rows[step_].code != command::body)
    return fail_with("skips what is no body");
  waits_ = wait::nothing;
  said out;
  out.verdict = reply.verdict;
  out.reply = std::move(reply.reply);
  return decide(std::move(out));
}

/// Keeps a change for the end; what is wrong with it otherwise.
std::optional<std::string> client_engine::keep(modification change) {
  if (changes_.size() >= limits_.changes)
    return "wants more than " + std::to_string(limits_.changes) + " changes";
  if (change.what == modification::kind::replace_body) {
    body_bytes_ += change.value.size();
    if (body_bytes_ > limits_.body_bytes)
      return "wants a body of more than " + std::to_string(limits_.body_bytes) + " octets";
    auto last = std::find_if(changes_.begin(), changes_.end(),
                             [](const modification& m) { return m.what == modification::kind::replace_body; });
    if (last != changes_.end()) { // all pieces are one
      last->value += change.value;
      return std::nullopt;
    }
  } else {
    change_bytes_ += change.name.size() + change.value.size();
    if (change_bytes_ > limits_.change_bytes)
      return "wants changes of more than " + std::to_string(limits_.change_bytes) + " octets";
    const bool of_header = change.what == modification::kind::add_header
                           || change.what == modification::kind::insert_header
                           || change.what == modification::kind::change_header;
    const bool deletes = change.what == modification::kind::change_header && change.value.empty();
    if (of_header && !deletes && (options_.steps & protocol::header_leading_space) == 0)
      change.value.insert(0, 1, ' ');
  }
  changes_.push_back(std::move(change));
  return std::nullopt;
}

answer client_engine::decide(said verdict) {
  if (about_client(step_) && verdict.verdict == verdict::accept)
    client_over_ = true;
  if (verdict.verdict == verdict::skip) {
    skip_body_ = true;
    verdict.verdict = verdict::proceed;
  }
  if (rows[step_].code == command::end_of_message) {
    verdict.changes = std::exchange(changes_, {});
    message_over_ = true;
    message_open_ = false;
  } else if (ends_message(step_, verdict.verdict)) {
    message_over_ = true;
    message_open_ = false;
  }
  return verdict;
}

answer client_engine::fail_with(std::string what) {
  waits_ = wait::nothing;
  broken_ = broken{std::move(what)};
  return *broken_;
}

} // namespace merpati::milter
