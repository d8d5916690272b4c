// ENVELOPE and BODYSTRUCTURE as IMAP text: written from a parsed message, read again without one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/mime/fields.hpp"
#include "protocols/mime/message.hpp"

namespace merpati::mime {

/// A string of RFC 9051 4.3: quoted where it can be, else a literal (8-bit octets, CR, LF). NULs are dropped.
void append_string(std::string& out, std::string_view value);
/// The same, NIL where it is empty.
void append_nstring(std::string& out, std::string_view value);

/// The address fields of a message, parsed.
struct envelope_addresses {
  std::vector<address> from, sender, reply_to, to, cc, bcc;
};
/// At most `most` addresses are taken, what is written for absent fields included, and counted down.
envelope_addresses parse_envelope_addresses(const header_values& values, std::size_t& most);

/// RFC 9051 7.5.2 ENVELOPE.
void append_envelope(std::string& out, const header_values& values, const envelope_addresses& addresses);
/// RFC 9051 7.5.2 BODYSTRUCTURE, with its extension data. `addresses` as above, for the messages inside.
void append_body_structure(std::string& out, const part& node, std::size_t& addresses);

/// Walks over IMAP text. Nothing is trusted: what isn't well-formed gives nothing.
class imap_text_reader {
public:
  explicit imap_text_reader(std::string_view text) noexcept : rest_(text) {}

  bool at(char c) const noexcept { return !rest_.empty() && rest_.front() == c; }
  bool take(char c) noexcept;
  /// One value whole, as it stands: NIL, a number, a string or a list with all that is in it.
  std::optional<std::string_view> take_value() noexcept;
  /// A string's octets; nothing for NIL and for what is no string.
  std::optional<std::string> take_string();

private:
  std::optional<std::size_t> atom_length(std::string_view at) const noexcept;
  std::string_view rest_;
};

/// BODY from BODYSTRUCTURE: appended to `out`. False for malformed text; `out` is then as before.
bool append_body_without_extensions(std::string& out, std::string_view body_structure);

} // namespace merpati::mime
