// DNS questions and answers as values, and the reading of record data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace merpati::dns {

/// RFC 1035 3.2.2, RFC 3596 2.1, RFC 6698 7.1
enum class record_type : std::uint16_t { a = 1, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };

struct record {
  /// A, AAAA: the numeric address. CNAME, PTR, MX: the name, lower case, without a dot at its end ("" is the root).
  /// TXT: the character-strings joined. TLSA: the octets as they travel.
  std::string value;
  std::uint16_t preference = 0; ///< of MX
  bool operator==(const record&) const = default;
};

/// What DNS says of a name. That there is nothing is an answer too.
struct record_set {
  std::vector<record> records; ///< as they came; at most records_max
  bool name_exists = false;    ///< false: NXDOMAIN; true with no records: NODATA (RFC 2308 2)
};

/// `records` fails with invalid (no domain name), too_many (too many queries are under way) or unavailable (SERVFAIL,
/// no answer in time, bogus signatures: RFC 4035 5.5); the last two are temporary.
struct answer {
  result<record_set> records = fail(errc::internal, "no answer");
  bool secure = false; ///< validated by DNSSEC; also of an answer that there is nothing
  std::uint32_t ttl_s = 0;
  std::string canonical; ///< where CNAME records lead, lower case, without a dot at its end; empty: none were there
};

constexpr std::size_t records_max = 256;      ///< of one answer: more than a name of any use has
constexpr std::size_t record_octets = 16'384; ///< of one record's value; the longest DKIM keys have 1,000

/// RFC 1035 2.3.4: 253 characters and labels of 1 to 63, dots between. Any printable ASCII may be in a label.
bool is_domain_name(std::string_view name);

/// The record whose data are `octets`, uncompressed; nothing when they don't fit the type.
std::optional<record> read_record(record_type type, std::string_view octets);

} // namespace merpati::dns
