// FETCH: from a message's row, its stored summary and the items asked for to the octets of the response. Text comes
// out at once; octets of the message itself come out as ranges, which the caller streams from the disk.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "protocols/imap/command.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "protocols/mime/summary.hpp"

namespace merpati::imap {

/// Octets of the response as they are.
struct text_piece {
  std::string octets;
};

/// `length` octets of the stored message from `offset`, to be copied to the client. Never beyond the message's size.
struct body_piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// A choice of header fields: read the header (offset, length) whole, then call write_header_fields(). Its length is
/// bounded by the MIME parser's header limit.
struct header_piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  const body_item* item = nullptr; ///< lives as long as the plan
};

/// A part whose transfer encoding is to be removed (BINARY): decode the range, then call write_binary().
struct binary_piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  mime::transfer_encoding encoding{}; ///< `other` can't be undone: NO [UNKNOWN-CTE] (RFC 3516 4.3)
  const body_item* item = nullptr;
};

/// PREVIEW: decode as much of the range as mime::preview() looks at, then call write_preview().
struct preview_piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  mime::transfer_encoding encoding{};
  std::string charset;
};

using fetch_piece = std::variant<text_piece, body_piece, header_piece, binary_piece, preview_piece>;

class fetch_plan {
public:
  /// `uid`: UIDs are answered too. `read_only`: \Seen is never set (EXAMINE).
  fetch_plan(fetch_items items, bool uid, bool read_only);

  /// Whether render() wants the stored summary.
  bool needs_summary() const noexcept { return needs_summary_; }
  /// Whether pieces other than text may come out.
  bool needs_body() const noexcept { return needs_body_; }
  /// The message becomes \Seen by being fetched (RFC 9051 6.4.5). The caller stores that first and hands render() the
  /// changed item; FLAGS is then part of the response.
  bool sets_seen(const message_item& item) const noexcept { return sets_seen_ && (item.flags & flag::seen) == 0; }

  /// Appends the whole response line for one message; only when neither summary nor body is needed.
  /// `seen_now`: \Seen was set by this very FETCH, so that FLAGS is told even if not asked for.
  void render_row(std::uint32_t sequence, const message_item& item, const std::vector<std::string>& keywords,
                  std::string& out, bool seen_now = false) const;

  /// The response for one message as pieces, in order. Adjacent texts are one piece; `out` is appended to.
  /// `summary` may be null when needs_summary() is false. errc::corrupted: there is none although it is needed;
  /// errc::invalid: BINARY of a part whose encoding is unknown (NO [UNKNOWN-CTE], RFC 3516 4.3); `out` is as before.
  result<void> render(std::uint32_t sequence, const message_item& item, const std::vector<std::string>& keywords,
                      const mime::summary_view* summary, std::vector<fetch_piece>& out, bool seen_now = false) const;

  /// The same as text only; needs_body() is false. Appends to `out`, nothing after an error.
  result<void> render_summary(std::uint32_t sequence, const message_item& item,
                              const std::vector<std::string>& keywords, const mime::summary_view* summary,
                              std::string& out, bool seen_now = false) const;

  const fetch_items& items() const noexcept { return items_; }

private:
  void write_row(std::uint32_t sequence, const message_item& item, const std::vector<std::string>& keywords,
                 bool seen_now, std::string& out) const;
  void write_structures(const mime::summary_view& summary, std::string& out) const;

  fetch_items items_;
  std::vector<std::string> labels_; ///< "BODY[...]<0>" of each of items_.bodies
  bool needs_summary_ = false;
  bool needs_body_ = false;
  bool sets_seen_ = false;
};

/// Appends "{n}" CRLF and the chosen fields of `header` (the octets that `piece` names), cut by its partial range.
void write_header_fields(const header_piece& piece, std::string_view header, std::string& out);

/// Appends the value of BINARY[...] for decoded octets: a literal, or literal8 when they hold NUL (RFC 3516 4.2).
/// For BINARY.SIZE the number of octets.
void write_binary(const binary_piece& piece, std::string_view decoded, std::string& out);

/// Appends the value of PREVIEW for the decoded beginning of the part.
void write_preview(std::string_view decoded, std::string& out);

} // namespace merpati::imap
