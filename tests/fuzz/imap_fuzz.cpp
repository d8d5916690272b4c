// The IMAP engine in each of its states, the parser, and the small grammars beside it. The first octet chooses; the
// rest is the input. Commands are answered as a session would, with an empty and a small mailbox.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocols/imap/command_parser.hpp"
#include "protocols/imap/fetch_plan.hpp"
#include "protocols/imap/list_pattern.hpp"
#include "protocols/imap/mailbox_name.hpp"
#include "protocols/imap/response_writer.hpp"
#include "protocols/imap/search_program.hpp"
#include "protocols/imap/server_engine.hpp"
#include "tests/support/scram_user.hpp"

namespace {

using namespace merpati;
using namespace merpati::imap;

void require(bool holds) {
  if (!holds)
    std::abort();
}

constexpr std::string_view stored = "From: a@b\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
                                    "--x\r\n\r\nplain text\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                                    "aGVsbG8=\r\n--x--\r\n";

snapshot_ptr small_mailbox() {
  message_item one, two;
  one.id = uid(3);
  two.id = uid(7);
  one.size_bytes = two.size_bytes = stored.size();
  two.flags = flag::seen;
  return mailbox_snapshot::make({}, {one, two});
}

class session {
public:
  explicit session(engine_options o) : engine_(std::move(o)) { engine_.start(); }

  void feed(std::string_view octets) {
    engine_.feed(octets);
    for (;;) {
      auto s = engine_.next();
      engine_.take_output();
      if (std::holds_alternative<steps::need_input>(s) || std::holds_alternative<steps::close>(s))
        return;
      answer(s);
    }
  }

private:
  void answer(step& s) {
    if (auto execute = std::get_if<steps::execute>(&s)) {
      if (auto fetch = std::get_if<commands::fetch>(&execute->what.body))
        run(*fetch);
      if (auto search = std::get_if<commands::search>(&execute->what.body))
        run(*search);
      if (auto list = std::get_if<commands::list>(&execute->what.body))
        for (const auto& entry : select_list(*list, {{"INBOX", true, true, 0}, {"a/b", true, false, 0}}))
          write_list(entry, style_of(*list, false), engine_.output());
      engine_.finish(ok());
    } else if (auto login = std::get_if<steps::log_in>(&s)) {
      if (login->user == "fail")
        engine_.login_failed(error{errc::auth_failed, ""});
      else
        engine_.login_succeeded();
    } else if (auto wanted = std::get_if<steps::scram_lookup>(&s)) {
      engine_.scram_keys(test::keys_of(wanted->user));
    } else if (std::holds_alternative<steps::scram_proven>(s)) {
      engine_.login_succeeded();
    } else if (auto append = std::get_if<steps::append_begin>(&s)) {
      if (append->what.mailbox == "no")
        engine_.refuse_append(no("TRYCREATE", "no"));
      else
        engine_.accept_append();
    } else if (auto next = std::get_if<steps::append_next>(&s)) {
      require(next->what.mailbox.empty() && next->what.size_bytes > 0);
      engine_.accept_append();
    } else if (auto data = std::get_if<steps::append_data>(&s)) {
      require(!data->octets.empty());
      if (data->octets.front() == '!')
        engine_.refuse_append(no("", "no"));
    } else if (std::holds_alternative<steps::append_end>(s) || std::holds_alternative<steps::idle_end>(s)) {
      engine_.finish(ok());
    } else if (std::holds_alternative<steps::start_compression>(s)) {
      engine_.compression_started();
    } else if (std::holds_alternative<steps::start_tls>(s)) {
      engine_.tls_started();
    }
  }

  void run(const commands::fetch& c) {
    auto octets = mime::summarise(stored);
    auto summary = mime::summary_view::open(octets);
    fetch_plan plan(c.items, c.uid, false);
    std::vector<fetch_piece> pieces;
    if (!plan.render(1, box_->at(1), {}, &*summary, pieces))
      return;
    for (const auto& piece : pieces) {
      if (auto range = std::get_if<body_piece>(&piece))
        require(range->offset <= stored.size() && range->length <= stored.size() - range->offset);
      if (auto header = std::get_if<header_piece>(&piece))
        write_header_fields(*header, stored.substr(header->offset, header->length), engine_.output());
      if (auto binary = std::get_if<binary_piece>(&piece))
        write_binary(*binary, stored.substr(binary->offset, binary->length), engine_.output());
    }
  }

  void run(const commands::search& c) {
    auto program = search_program::compile(c.key, {box_, timestamp{}, {}});
    if (!program)
      return;
    auto octets = mime::summarise(stored);
    auto summary = mime::summary_view::open(octets);
    for (std::uint32_t n = 1; n <= box_->size(); ++n) {
      program->evaluate(n, box_->at(n), nullptr);
      auto verdict = program->evaluate(n, box_->at(n), &*summary);
      require(verdict != search_verdict::needs_summary);
      if (verdict != search_verdict::needs_body)
        continue;
      body_search body(*program, n, box_->at(n), *summary);
      body.feed(stored.substr(0, 100));
      body.feed(stored.substr(100));
      body.finish();
    }
  }

  server_engine engine_;
  snapshot_ptr box_ = small_mailbox();
};

void engine(std::uint8_t choice, std::string_view input) {
  engine_options o;
  o.tls_active = (choice & 1U) == 0;
  o.starttls_available = true;
  o.literal_plus = (choice & 2U) == 0;
  o.offer_imap4rev2 = o.offer_condstore = true;
  o.limits.bad_commands = o.limits.bad_commands_before_login = 1000;
  session s(o);
  auto state = choice >> 2U & 3U;
  if (state > 0 && o.tls_active)
    s.feed("a LOGIN alice secret\r\n");
  if (state > 1 && o.tls_active)
    s.feed("a ENABLE IMAP4rev2\r\na SELECT INBOX\r\n");
  if (state > 2 && o.tls_active)
    s.feed("a IDLE\r\n");
  if ((choice & 16U) == 0)
    return s.feed(input);
  for (std::size_t at = 0; at < input.size(); at += 3)
    s.feed(input.substr(at, 3));
}

void grammars(std::string_view input) {
  limits bounds;
  for (bool utf8 : {false, true}) {
    parse_mode mode{utf8, utf8};
    (void)parse_command(input, mode, bounds);
    (void)parse_append(input, mode, bounds);
    if (auto name = canonical_mailbox_name(input, utf8, bounds))
      require(valid_utf8(*name));
  }
  if (auto name = decode_utf7(input))
    require(valid_utf8(*name) && encode_utf7(*name) == input);
  if (auto set = sequence_set::parse(input, bounds.set_ranges)) {
    std::string written;
    set->write(written);
    require(sequence_set::parse(written, bounds.set_ranges) == *set);
  }
  auto half = input.size() / 2;
  (void)list_pattern("", input.substr(0, half)).matches(input.substr(half));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 0x80U) != 0)
    grammars(input);
  else
    engine(data[0], input);
  return 0;
}
