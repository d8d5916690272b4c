// BODY[HEADER.FIELDS (...)] and BODY[HEADER.FIELDS.NOT (...)]: picks fields out of a stored header in one pass.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace merpati::mime {

enum class selection : std::uint8_t { only, except };

/// Reads a header in pieces and writes the chosen fields as they stand, octet for octet, then the blank line.
/// A line that is no field (no colon, an mbox "From " line) belongs to no name: `only` leaves it out, `except` keeps
/// it.
class header_selector {
public:
  /// `names` in any case.
  header_selector(std::span<const std::string_view> names, selection how);

  /// The header's next octets; appends what is chosen. Anything behind the blank line is passed over.
  void feed(std::string_view header, std::string& out);
  /// The header is over. Appends the blank line if it has none; RFC 9051 6.4.5.1 has it in every subset.
  void finish(std::string& out);

private:
  void begin_line(std::string_view line, std::string& out);
  void decide(std::string_view line);
  void write(std::string_view octets, std::string& out);
  void finish(std::string& out, std::string_view blank_line);

  std::vector<std::string> names_; // lower case, sorted
  selection how_;
  bool writing_;
  std::string start_; // of a line whose field name is not complete yet
  bool at_line_start_ = true;
  bool done_ = false;
  bool ends_with_lf_ = true;
};

/// The same for a header that is at hand; appends to `out`.
void select_header(std::string_view header, std::span<const std::string_view> names, selection how, std::string& out);

} // namespace merpati::mime
