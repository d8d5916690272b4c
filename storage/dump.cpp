#include "storage/dump.hpp"

#include <spdlog/fmt/fmt.h>

#include "storage/schema.hpp"

namespace merpati::storage {

namespace {

std::string hex(std::string_view octets) {
  std::string out;
  out.reserve(octets.size() * 2);
  for (char c : octets)
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

} // namespace

std::string dump_index(const transaction& txn) {
  std::string out;
  for (std::size_t i = 0; i < table_count; ++i) {
    auto t = static_cast<table>(i);
    if (t == table::segments || t == table::doomed)
      continue;
    txn.scan_raw(t, {}, [&](std::string_view key, std::optional<std::string_view> payload, std::string_view) {
      out += fmt::format("{} {} ", table_name(t), hex(key));
      auto body = t == table::bodies && payload ? schema::decode_body(key, *payload) : std::nullopt;
      if (body)
        out +=
            fmt::format("size={} checksum={:016x} references={}", body->size_bytes, body->checksum, body->references);
      else
        out += payload ? hex(*payload) : "damaged";
      out += '\n';
      return true;
    });
  }
  return out;
}

} // namespace merpati::storage
