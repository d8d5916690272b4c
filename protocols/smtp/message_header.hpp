// The header of a message on its way through the server: kept until it is complete, looked at, and for submissions
// completed (RFC 6409 8). The body behind it passes by untouched.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocols/smtp/address.hpp"

namespace merpati::smtp {

/// Gathers the header out of the pieces of a message.
class header_collector {
public:
  /// A header of more than `limit_bytes` is too big; no program writes one.
  explicit header_collector(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// Takes what belongs to the header from the front of `octets`; what is left there is body. The header ends with its
  /// first empty line, which belongs to it.
  void take(std::string_view& octets);

  /// The empty line has come. Without it the whole message is header.
  bool is_complete() const noexcept { return complete_; }
  bool is_too_big() const noexcept { return header_.size() > limit_bytes_; }
  const std::string& header() const noexcept { return header_; }

private:
  std::string header_;
  std::size_t limit_bytes_;
  std::size_t line_start_ = 0; ///< of the last line, in header_
  bool complete_ = false;
};

/// What the server has to know of a header.
struct header_facts {
  std::size_t received = 0;              ///< hops so far (RFC 5321 6.3)
  std::vector<std::string> delivered_to; ///< values of Delivered-To, unfolded
  std::vector<mailbox> from;             ///< author addresses that can be read
  bool has_from = false;
  bool from_is_unreadable = false; ///< From, or one address of it, is no mailbox
  bool has_date = false;
  bool has_message_id = false;
  bool has_bcc = false;
};

header_facts inspect_header(std::string_view header);

/// What a submitted message without it is given.
struct added_fields {
  std::string date;       ///< date-time (RFC 5322 3.3)
  std::string message_id; ///< with its angle brackets
  std::string from;       ///< a mailbox, as it is written in a header
};

/// `header` with the fields that it lacks in front and without Bcc (RFC 5322 3.6.3). Everything else stays, octet for
/// octet.
std::string complete_header(std::string_view header, const header_facts& facts, const added_fields& added);

} // namespace merpati::smtp
