// Writes a message as a seven_bit_plan has it, while its octets arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/mime/decoder.hpp"
#include "protocols/mime/seven_bit_plan.hpp"
#include "protocols/mime/transfer_encoder.hpp"

namespace merpati::mime {

class seven_bit_writer {
public:
  /// `plan` has decided to convert, and outlives this.
  explicit seven_bit_writer(const seven_bit_plan& plan);

  /// Appends what becomes of the next octets. All octets of the message are to be written, cut anywhere.
  void write(std::string_view octets, std::string& out);

private:
  void begin_piece();
  void end_piece(std::string& out);
  void write_header(std::string_view octets, std::string& out);
  void decide_line(std::string& out);
  void add_fields(std::string& out);
  void write_filler(std::string_view octets, std::string& out);
  void write_filler_line(std::string& out);
  void write_body(std::string_view octets, std::string& out);

  const seven_bit_plan& plan_;
  std::size_t current_ = 0;
  std::uint64_t offset_ = 0;
  std::string line_; ///< header: the beginning of a line that is not decided; filler: the line, as far as it is of use
  bool decided_ = false;  ///< header: the rest of the line goes the way of its beginning
  bool dropping_ = false; ///< header: the field
  bool labelled_ = false; ///< header: the new Content-Transfer-Encoding is written
  bool unfit_ = false;    ///< filler: the line is left out
  std::string delimiter_; ///< filler: of the multipart, until it was seen
  std::optional<body_decoder> decoder_;
  std::optional<transfer_encoder> encoder_;
  std::string decoded_;
};

} // namespace merpati::mime
