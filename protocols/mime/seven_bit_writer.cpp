#include "protocols/mime/seven_bit_writer.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::mime {
namespace {

using kind = seven_bit_piece::kind;

/// So much of a header's line is enough to know Content-Transfer-Encoding.
constexpr std::size_t name_octets = 64;
/// RFC 5322 2.1.1, with CRLF
constexpr std::size_t line_octets = 1'000;

std::string_view name_of(transfer_encoding e) noexcept {
  switch (e) {
  case transfer_encoding::quoted_printable: return "quoted-printable";
  case transfer_encoding::base64: return "base64";
  default: return "7bit";
  }
}

} // namespace

seven_bit_writer::seven_bit_writer(const seven_bit_plan& plan) : plan_(plan) {
  begin_piece();
}

void seven_bit_writer::begin_piece() {
  line_.clear();
  delimiter_.clear();
  decided_ = dropping_ = labelled_ = unfit_ = false;
  decoder_.reset();
  encoder_.reset();
  if (current_ == plan_.pieces().size())
    return;
  const auto& piece = plan_.pieces()[current_];
  if (piece.what == kind::filler) {
    if (const auto* boundary = find(piece.node->params, "boundary"); boundary != nullptr)
      delimiter_ = "--" + (boundary->extended ? decoded_value(*boundary) : boundary->value);
  } else if (piece.encode) {
    decoder_.emplace(piece.node->encoding);
    encoder_.emplace(piece.encoding);
  }
}

void seven_bit_writer::write(std::string_view octets, std::string& out) {
  while (!octets.empty() && current_ < plan_.pieces().size()) {
    const auto& piece = plan_.pieces()[current_];
    const auto now =
        octets.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(octets.size(), piece.end - offset_)));
    switch (piece.what) {
    case kind::header: write_header(now, out); break;
    case kind::filler: write_filler(now, out); break;
    case kind::body: write_body(now, out); break;
    }
    offset_ += now.size();
    octets.remove_prefix(now.size());
    if (offset_ == piece.end)
      end_piece(out);
  }
}

void seven_bit_writer::end_piece(std::string& out) {
  const auto& piece = plan_.pieces()[current_];
  if (encoder_) {
    decoded_.clear();
    decoder_->finish(decoded_);
    encoder_->feed(decoded_, out);
    encoder_->finish(out, current_ + 1 == plan_.pieces().size());
  } else if (piece.what == kind::filler && !line_.empty()) {
    write_filler_line(out);
  } else if (piece.what == kind::header && !line_.empty() && !decided_) {
    decide_line(out);
  }
  ++current_;
  begin_piece();
}

void seven_bit_writer::write_header(std::string_view octets, std::string& out) {
  const auto& piece = plan_.pieces()[current_];
  if (!piece.relabel && !piece.add_version) {
    out += octets;
    return;
  }
  while (!octets.empty()) {
    const auto lf = octets.find('\n');
    const auto line = octets.substr(0, lf == std::string_view::npos ? lf : lf + 1);
    octets.remove_prefix(line.size());
    if (decided_) {
      if (!dropping_)
        out += line;
    } else {
      line_ += line;
      if (lf != std::string_view::npos || line_.size() >= name_octets)
        decide_line(out);
    }
    if (lf != std::string_view::npos) {
      line_.clear();
      decided_ = false;
    }
  }
}

/// What becomes of the field that begins with line_.
void seven_bit_writer::decide_line(std::string& out) {
  decided_ = true;
  if (line_ == "\n" || line_ == "\r\n") {
    add_fields(out);
    dropping_ = false;
  } else if (line_.front() != ' ' && line_.front() != '\t') {
    const auto name = std::string_view(line_).substr(0, field_name_length(line_));
    dropping_ = plan_.pieces()[current_].relabel && ascii::iequals(name, "content-transfer-encoding");
  }
  if (!dropping_)
    out += line_;
}

void seven_bit_writer::add_fields(std::string& out) {
  const auto& piece = plan_.pieces()[current_];
  if (piece.add_version)
    out += "MIME-Version: 1.0\r\n";
  if (!piece.relabel || std::exchange(labelled_, true))
    return;
  if (!piece.has_type && piece.encoding != transfer_encoding::seven_bit && piece.node->type == "text")
    out += "Content-Type: text/plain; charset=unknown-8bit\r\n"; // nobody said which; RFC 2045 5.2
  out += "Content-Transfer-Encoding: ";
  out += name_of(piece.encoding);
  out += "\r\n";
}

void seven_bit_writer::write_filler(std::string_view octets, std::string& out) {
  for (const char c : octets) {
    if (line_.size() < line_octets)
      line_ += c;
    else
      unfit_ = true;
    if (c == '\n')
      write_filler_line(out);
  }
}

/// Nobody reads what stands outside of the parts (RFC 2046 5.1.1): a line that can't go is left out. A delimiter is
/// written without what may follow it.
void seven_bit_writer::write_filler_line(std::string& out) {
  const bool whole = line_.ends_with('\n') || unfit_;
  if (!delimiter_.empty() && line_.starts_with(delimiter_)) {
    out += delimiter_;
    if (std::string_view(line_).substr(delimiter_.size()).starts_with("--"))
      out += "--";
    out += whole ? "\r\n" : "";
    delimiter_.clear();
  } else if (!unfit_ && text::is_ascii(line_) && line_.find('\0') == std::string::npos) {
    out += line_;
  }
  line_.clear();
  unfit_ = false;
}

void seven_bit_writer::write_body(std::string_view octets, std::string& out) {
  if (!encoder_) {
    out += octets;
    return;
  }
  decoded_.clear();
  decoder_->feed(octets, decoded_);
  encoder_->feed(decoded_, out);
}

} // namespace merpati::mime
