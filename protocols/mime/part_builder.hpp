// Fills a part (and, for a message, its header values) from the lines of its header, one field at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/mime/limits.hpp"
#include "protocols/mime/message.hpp"

namespace merpati::mime {

class part_builder {
public:
  /// `whole.degraded` is set where a limit is met.
  part_builder(const limits& bounds, message& whole) noexcept : bounds_(bounds), whole_(whole) {}

  /// A header begins. `is_message`: it has header values; `parent` gives the default type (RFC 2046 5.1.5).
  void begin(part& node, bool is_message, const part* parent);
  /// A line without its line end, cut at limits::field_octets; it had `octets` octets in all.
  void line(std::string_view text, std::uint64_t octets);
  /// The header is over: sets type and kind. A multipart without a usable boundary becomes opaque text.
  void end();
  /// Of a multipart, after end().
  const std::string& boundary() const noexcept { return boundary_; }

private:
  void take_field();
  void keep(std::string& into, bool join);
  void keep_parameters(parameters& from, parameters& into);
  void take_content_type();
  bool afford(std::size_t octets) noexcept;

  limits bounds_;
  message& whole_;
  part* node_ = nullptr;
  bool default_message_ = false;
  std::size_t used_octets_ = 0; // of the header_octets
  std::size_t kept_octets_ = 0;
  int field_ = 0;     // index into the table of fields we know plus one; 0: none
  std::string value_; // of the current field, without line ends
  std::string boundary_;
};

} // namespace merpati::mime
