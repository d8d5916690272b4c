// Reading header fields: unfolding, structured values (RFC 5322, 2045, 2183, 2231), encoded words (RFC 2047).
// Senders break every rule here, so each function takes what it can and never fails on octets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/mime/limits.hpp"
#include "protocols/mime/message.hpp"

namespace merpati::mime {

/// A field inside a header, as it stands there.
struct raw_field {
  std::string_view name;  ///< without the colon and the white space before it
  std::string_view value; ///< behind the colon, folded, with its line end
  std::string_view whole; ///< name, colon, value
};

/// Walks over the fields of a header. Ends at the blank line; lines that are no field are passed over.
class field_reader {
public:
  explicit field_reader(std::string_view header) noexcept : rest_(header) {}
  std::optional<raw_field> next() noexcept;

private:
  std::string_view rest_;
};

/// Length of the field name that `line` begins with, if a colon follows (RFC 5322 3.6.8; white space before the colon
/// is RFC 5322 4.5); 0 for a line that is no field.
std::size_t field_name_length(std::string_view line) noexcept;

/// The value without line ends and the white space around it; NULs are dropped.
std::string unfold(std::string_view value);

/// First value of that name in a header, unfolded; nothing if there is none.
std::optional<std::string> field_value(std::string_view header, std::string_view name);

/// An unfolded unstructured value (Subject, Content-Description) or phrase in UTF-8. Encoded words that can't be
/// decoded stay as they are; octets that are no UTF-8 are read as windows-1252.
std::string decode_words(std::string_view value);

/// The octets in UTF-8; see charset_decoder.
std::string to_utf8(std::string_view charset, std::string_view octets);

/// One entry of an address field.
struct address {
  enum class kind : std::uint8_t { mailbox, group_begin, group_end };
  kind what = kind::mailbox;
  std::string name;  ///< display name or group name, unquoted, encoded words as sent; a comment serves where it's empty
  std::string route; ///< obsolete source route ("@a,@b"), RFC 5322 4.4
  std::string local; ///< unquoted; may be empty in broken fields
  std::string domain; ///< may be empty in broken fields
  bool operator==(const address&) const = default;
};

/// An address list (RFC 5322 3.4 and 4.4), at most `max_addresses` entries. Groups are closed even where the field
/// isn't.
std::vector<address> parse_addresses(std::string_view value, std::size_t max_addresses = limits{}.addresses);

/// A point in time with the zone in which it was written down.
struct sent_date {
  std::int64_t utc_seconds = 0;  ///< since 1970
  std::int32_t zone_minutes = 0; ///< east of Greenwich, -1439 to 1439
  bool operator==(const sent_date&) const = default;
};

/// A Date value: RFC 5322 3.3, its obsolete forms, asctime and what else is met. Years 1900 to 9999.
std::optional<sent_date> parse_date(std::string_view value);

/// The ids of Message-ID, In-Reply-To or References, without angle brackets and inner white space; at most `max_ids`:
/// the first and the last ones. A Message-ID without brackets is taken as it is if it is one word.
std::vector<std::string> parse_message_ids(std::string_view value, std::size_t max_ids = limits{}.references);

/// Content-Type: type and subtype in lower case and the parameters; empty type if it can't be read.
struct content_type {
  std::string type, subtype;
  parameters params;
};
content_type parse_content_type(std::string_view value, const limits& bounds = {});
/// Content-Disposition (RFC 2183).
disposition parse_disposition(std::string_view value, const limits& bounds = {});
/// A comma-separated list of words (Content-Language, RFC 3282), comments dropped.
std::vector<std::string> parse_words(std::string_view value, std::size_t max_words = 32);
/// The first word, comments dropped, lower case: Content-Transfer-Encoding.
std::string parse_token(std::string_view value);

/// The base subject of RFC 5256 2.1 from a decoded subject, and whether it was a reply or a forward.
struct base_subject {
  std::string text; ///< not folded to one case; compare with i;unicode-casemap
  bool is_reply = false;
};
base_subject parse_base_subject(std::string_view subject);

} // namespace merpati::mime
