// What a message consists of: the tree of its parts with exact places, and the header values that ENVELOPE and
// BODYSTRUCTURE are made of. All offsets count octets from the first octet of the whole message.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace merpati::mime {

/// RFC 2045 6. `other` is a token that we don't know; its text is kept in part::encoding_name.
enum class transfer_encoding : std::uint8_t { seven_bit, eight_bit, binary, quoted_printable, base64, other };

/// The encoding's enum value for its token, in any case.
transfer_encoding parse_encoding(std::string_view token) noexcept;

/// A parameter of Content-Type or Content-Disposition. RFC 2231 continuations are joined.
struct parameter {
  std::string name;      ///< lower case, without the asterisks of RFC 2231
  std::string value;     ///< octets as sent, unquoted; when `extended`: charset'language'percent-encoded
  bool extended = false; ///< RFC 2231 4: value carries a charset and percent signs
  bool operator==(const parameter&) const = default;
};
using parameters = std::vector<parameter>;

/// The parameter of that name (lower case), or nullptr.
const parameter* find(const parameters& list, std::string_view name) noexcept;
/// The value in UTF-8: RFC 2231 decoded, else RFC 2047 decoded (which senders use there against the standard).
std::string decoded_value(const parameter& p);

/// RFC 2183. An absent field has an empty type.
struct disposition {
  std::string type; ///< lower case
  parameters params;
  bool operator==(const disposition&) const = default;
};

/// Header values of a message (not of a mere part), unfolded, otherwise as sent. Empty: absent.
/// Several To, Cc, Bcc or From fields are joined with commas (RFC 5322 4.5.3); of others the first counts.
struct header_values {
  std::string date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id, references;
  bool operator==(const header_values&) const = default;
};

/// One part: header [header_begin, body_begin) with its blank line, body [body_begin, body_end).
struct part {
  enum class kind : std::uint8_t {
    leaf,
    multipart, ///< children are its parts, at least one
    message,   ///< message/rfc822 or message/global; children[0] is the message inside, with `values`
  };
  kind what = kind::leaf;
  /// Something that can't be shown as its type says: a multipart without parts or beyond the limits.
  /// BODYSTRUCTURE calls it text/plain (if `readable`) or application/octet-stream.
  bool opaque = false;
  bool readable = false;

  std::uint64_t header_begin = 0;
  std::uint64_t body_begin = 0;
  std::uint64_t body_end = 0;     ///< without the line end that belongs to the boundary behind it
  std::uint64_t body_lines = 0;   ///< LFs in the body
  std::uint64_t header_lines = 0; ///< LFs in the header

  std::string type;    ///< lower case; default text (message in multipart/digest, RFC 2046 5.1.5)
  std::string subtype; ///< lower case
  parameters params;
  transfer_encoding encoding = transfer_encoding::seven_bit;
  std::string encoding_name; ///< lower case; empty: absent
  std::string id;            ///< Content-ID with its angle brackets
  std::string description;   ///< unfolded, not decoded
  std::string md5;
  std::string location;
  std::vector<std::string> languages;
  mime::disposition disposition;

  std::vector<part> children;
  std::unique_ptr<header_values> values; ///< for the root of a message only

  std::uint64_t body_octets() const noexcept { return body_end - body_begin; }
};

/// A parsed message.
struct message {
  part root;
  std::uint64_t octets = 0; ///< of everything that was fed
  bool degraded = false;    ///< a limit was met, so that something is opaque or missing
};

} // namespace merpati::mime
