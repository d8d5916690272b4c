// SMTP addresses and arguments: what is parsed can be written and parsed back, and has one canonical form.
#include <cstdint>
#include <cstdlib>

#include "protocols/smtp/address.hpp"
#include "protocols/smtp/command_arguments.hpp"

using namespace merpati;
using namespace merpati::smtp;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check_mailbox(const mailbox& box, address_syntax syntax) {
  const auto again = parse_mailbox(write_mailbox(box), syntax);
  require(again.has_value() && *again == box);
  const auto canonical = canonical_address(box);
  require(canonical || syntax.utf8);
  if (!canonical)
    return;
  // The canonical form is its own canonical form, where it can still be parsed at all (folding may lengthen it).
  if (const auto parsed = parse_mailbox(*canonical, syntax))
    require(canonical_address(*parsed).value_or("") == *canonical);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool utf8 : {false, true}) {
    const address_syntax syntax{.utf8 = utf8};
    if (const auto box = parse_mailbox(text, syntax))
      check_mailbox(*box, syntax);
    if (const auto path = parse_reverse_path(text, syntax)) {
      const auto written = write_path(path->path);
      const auto again = parse_reverse_path(written, syntax);
      require(again && again->path == path->path && again->rest.empty());
    }
    if (const auto path = parse_forward_path(text, syntax)) {
      const auto written = write_path(path->path);
      const auto again = parse_forward_path(written, syntax);
      require(again && again->path == path->path && again->rest.empty());
    }
  }
  for (const bool extended : {false, true}) {
    (void)parse_mail_arguments(text, {extended, extended, 1000});
    (void)parse_rcpt_arguments(text, {extended, extended, 1000});
  }
  (void)canonical_domain(text);
  if (const auto decoded = decode_xtext(text))
    require(decode_xtext(encode_xtext(*decoded)).value_or("") == *decoded);
  return 0;
}
