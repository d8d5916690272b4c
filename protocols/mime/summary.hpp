// The summary of a message: everything that a mailbox needs to answer ENVELOPE, BODYSTRUCTURE, searches and sorts
// without the message, and to find any BODY[section] in it as a range of octets. One compact octet string, versioned,
// stored beside each message.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocols/mime/limits.hpp"
#include "protocols/mime/message.hpp"

namespace merpati::mime {

/// The summary of a parsed message, in the current version of the format.
std::string summarise(const message& m, const limits& bounds = {});
/// parse() and summarise() of a message at hand.
std::string summarise(std::string_view octets, const limits& bounds = {});

/// A run of octets of the stored message.
struct octet_range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const octet_range&) const = default;
};

/// What of a part BODY[...] asks for (RFC 9051 6.4.5.1).
enum class section_kind : std::uint8_t {
  body,   ///< BODY[] or BODY[1.2]: the whole message, or the part's body
  header, ///< BODY[HEADER] or BODY[1.2.HEADER] (and HEADER.FIELDS), of a message or of a message/rfc822 part
  text,   ///< BODY[TEXT] or BODY[1.2.TEXT], likewise
  mime,   ///< BODY[1.2.MIME]: the part's own header
};

/// A part as the summary knows it.
struct part_entry {
  part::kind what = part::kind::leaf;
  transfer_encoding encoding = transfer_encoding::seven_bit;
  bool text = false;         ///< text/*: worth searching
  bool message_root = false; ///< its header is that of a message
  octet_range header;        ///< with the blank line
  octet_range body;
  std::string_view charset; ///< as sent; empty: none was named (US-ASCII by standard)
};

/// Which address field.
enum class address_field : std::uint8_t { from, to, cc, bcc };

/// Reads a summary in place; the octets must outlive it. Nothing is allocated by open() and the plain accessors.
/// Damaged octets give errc::corrupted from open() or nothing from the accessors that walk, never undefined behaviour.
class summary_view {
public:
  /// errc::corrupted for octets that are no summary of a version that we know.
  static result<summary_view> open(std::string_view octets);

  /// IMAP text of the ENVELOPE (RFC 9051 7.5.2, with its outer parentheses); may hold literals.
  std::string_view envelope() const noexcept { return envelope_; }
  /// IMAP text of BODYSTRUCTURE, likewise.
  std::string_view body_structure() const noexcept { return structure_; }
  /// IMAP text of BODY: BODYSTRUCTURE without its extension data. Made on demand; appended to `out`.
  void append_body(std::string& out) const;

  std::uint64_t octets() const noexcept { return octets_; }               ///< RFC822.SIZE of what was parsed
  std::uint64_t header_octets() const noexcept { return header_octets_; } ///< with the blank line
  std::uint64_t lines() const noexcept { return lines_; }                 ///< of header and body
  std::uint64_t thread_key() const noexcept { return thread_key_; }       ///< 0: no Message-ID to go by
  bool has_attachment() const noexcept;
  bool degraded() const noexcept; ///< message::degraded

  /// The Date field in seconds since 1970 UTC; nothing if it is absent or unreadable.
  std::optional<std::int64_t> sent_utc() const noexcept;
  /// Days since 1970 of the Date field's own calendar day, zone disregarded: SENTON, SENTBEFORE, SENTSINCE.
  std::optional<std::int64_t> sent_day() const noexcept;

  /// Decoded UTF-8, unfolded, at most limits::search_octets. Addresses: "Name <local@domain>, ...".
  std::string_view subject() const noexcept { return subject_; }
  std::string_view addresses(address_field which) const noexcept;
  /// The own Message-ID and those of In-Reply-To and References: without angle brackets, separated by one space.
  std::string_view message_id() const noexcept { return message_id_; }
  std::string_view in_reply_to() const noexcept { return in_reply_to_; }
  std::string_view references() const noexcept { return references_; }
  /// Local part of the first address, octets as sent: the key of RFC 5256 SORT FROM, TO, CC. Empty: none.
  std::string sort_mailbox(address_field which) const;
  /// Its display name, decoded to UTF-8, or else its address: the key of RFC 5957 DISPLAYFROM, DISPLAYTO.
  std::string sort_display(address_field which) const;

  /// Where BODY[section] is. `numbers` are the part numbers, none for the message itself. Nothing if there is no such
  /// part, or the kind makes no sense for it (HEADER of a part that is no message): FETCH answers NIL.
  std::optional<octet_range> section(std::span<const std::uint32_t> numbers, section_kind kind) const;
  /// The part of these numbers (at least one), for BINARY and BINARY.SIZE.
  std::optional<part_entry> find_part(std::span<const std::uint32_t> numbers) const;
  /// Calls `each` for every part from the front to the back, the root first, until it returns false: SEARCH BODY, TEXT.
  void for_each_part(const std::function<bool(const part_entry&)>& each) const;

private:
  std::string_view envelope_, structure_, subject_, from_, to_, cc_, bcc_, message_id_, in_reply_to_, references_, map_;
  std::uint64_t octets_ = 0, header_octets_ = 0, lines_ = 0, thread_key_ = 0;
  std::int64_t sent_utc_ = 0;
  std::int32_t sent_zone_minutes_ = 0;
  std::uint8_t flags_ = 0;
};

} // namespace merpati::mime
