// How a message becomes one of 7-bit lines, for a server that takes no other (RFC 6152 3): which of its parts are
// encoded anew, and which header fields change. The message is read twice for the plan and once more by
// seven_bit_writer; what is held is its tree and some octets for each part, bounded by `limits`.
//
//   seven_bit_plan plan;
//   survey() for all octets; end_survey() -> false: it goes as it is
//   measure() for all octets; decide()
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/mime/message.hpp"
#include "protocols/mime/parser.hpp"

namespace merpati::mime {

/// What is to be known of some octets.
struct octet_tally {
  std::uint64_t octets = 0;
  std::uint64_t unprintable = 0; ///< those that quoted-printable takes three octets for
  bool eight_bit = false;
  bool nul = false;
  bool bare_newline = false;
  bool long_line = false; ///< more than 998 octets without its line end, RFC 5322 2.1.1

  void look_at(std::string_view more) noexcept;
  /// The octets end here; a CR at their end is a bare one.
  void finish() noexcept;

private:
  void count_bare_newline() noexcept;

  std::uint64_t line_octets_ = 0;
  bool after_cr_ = false;
};

/// Octets of the message that are treated alike, from the end of the piece before.
struct seven_bit_piece {
  enum class kind : std::uint8_t {
    header,
    filler, ///< of a multipart: what stands outside of its parts, and its delimiters
    body,   ///< of a leaf
  };
  kind what = kind::body;
  std::uint64_t end = 0; ///< offset of the octet behind
  const part* node = nullptr;
  octet_tally tally;
  bool encode = false;                                       ///< body
  transfer_encoding encoding = transfer_encoding::seven_bit; ///< body: how it is encoded; header: what it says
  bool relabel = false;                                      ///< header: Content-Transfer-Encoding becomes `encoding`
  bool add_version = false;                                  ///< header
  bool has_version = false;
  bool has_type = false;
  bool has_dkim = false;
};

class seven_bit_plan {
public:
  enum class verdict : std::uint8_t {
    convert,
    header_is_8bit, ///< RFC 6532 in a header, which only SMTPUTF8 may carry
    impossible,     ///< obstacle() tells why; RFC 3463 3.7: 5.6.3
  };

  /// `binary`: the message may consist of other things than lines (BODY=BINARYMIME), which are mended too.
  explicit seven_bit_plan(bool binary, const limits& bounds = {}) : parser_(bounds), binary_(binary) {}
  seven_bit_plan(const seven_bit_plan&) = delete;
  seven_bit_plan& operator=(const seven_bit_plan&) = delete;

  void survey(std::string_view octets);
  /// Whether something has to change.
  bool end_survey();
  void measure(std::string_view octets);
  /// `utf8_headers`: headers may have octets above 127, since the server offers SMTPUTF8.
  verdict decide(bool utf8_headers);

  const std::string& obstacle() const noexcept { return obstacle_; }
  /// A signature inside (multipart/signed, DKIM-Signature) that covers octets which change.
  bool breaks_signature() const noexcept { return breaks_signature_; }
  /// Octets of the result, or a few more.
  std::uint64_t estimated_octets() const noexcept;
  const std::vector<seven_bit_piece>& pieces() const noexcept { return pieces_; }

private:
  void add(seven_bit_piece::kind what, const part& node, std::uint64_t end);
  void add_part(const part& node);
  void watch_names(seven_bit_piece& header, std::string_view octets);
  void end_piece();
  bool has_8bit_header(std::size_t first, std::uint64_t end) const;
  void wrap_global_messages();
  bool decide_body(std::size_t at);
  void decide_header(std::size_t at);
  void find_signature(const part& node, bool is_signed);

  parser parser_;
  message message_;
  bool binary_;
  octet_tally total_;
  std::vector<seven_bit_piece> pieces_;
  std::string obstacle_;
  bool breaks_signature_ = false;
  std::uint64_t offset_ = 0; ///< measured so far
  std::size_t current_ = 0;  ///< piece
  std::string line_begin_;   ///< of a header's line
  bool in_long_line_ = false;
};

} // namespace merpati::mime
