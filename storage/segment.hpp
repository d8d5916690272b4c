// Body segments: append-only files that hold the octets of many messages. See docs/storage-format.md.
//
//   file   = file header (64 octets), records, each padded with zeros to a multiple of 8
//   record = header (40 octets): magic, body id, length, checksum of the octets, checksum of this header; the octets
//
// How far a file is valid stands in the index (table `segments`): what lies behind that was written by a batch whose
// commit did not happen, and is cut off when the shard is opened. Nothing is scanned at start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/io.hpp"

namespace merpati::storage {

inline constexpr std::uint64_t segment_header_bytes = 64;
inline constexpr std::uint64_t record_header_bytes = 40;

/// Octets that a record with a body of `size_bytes` takes in its file.
constexpr std::uint64_t record_bytes(std::uint64_t size_bytes) noexcept {
  return (record_header_bytes + size_bytes + 7) / 8 * 8;
}

struct record_header {
  body_id id;
  std::uint64_t size_bytes = 0;
  std::uint64_t checksum = 0;
};
std::string encode_record_header(const record_header& h);
std::optional<record_header> decode_record_header(std::string_view octets);

std::filesystem::path segment_path(const std::filesystem::path& shard_folder, std::uint32_t number);
std::filesystem::path large_body_path(const std::filesystem::path& shard_folder, body_id id);

/// Calls `each` for the records of a segment file in order, until one is not whole or `limit_bytes` is reached, or
/// `each` returns false. `octets_at` is where its octets begin. Returns where it stopped.
result<std::uint64_t> walk_segment(const io::file& segment, std::uint64_t limit_bytes,
                                   const std::function<bool(const record_header&, std::uint64_t octets_at)>& each);

/// The writer's side: appends to the open segment and begins a new one when it is full.
class segment_writer {
public:
  struct record {
    record_header head;
    std::string_view before; ///< goes before `octets`
    std::string_view octets;
  };
  struct place {
    std::uint32_t segment = 0;
    std::uint64_t offset = 0; ///< of the first octet of the body
  };

  segment_writer(std::filesystem::path folder, std::uint64_t segment_bytes)
      : folder_(std::move(folder)), segment_bytes_(segment_bytes) {}

  /// Goes on in segment `number`, valid up to `end` (0 and 0: none yet), and cuts off what lies behind.
  result<void> open(std::uint32_t number, std::uint64_t end);
  /// Leaves segment `number` alone, since it is damaged, and begins a new one at the next append.
  void begin_after(std::uint32_t number) noexcept;
  /// Appends with one gathered write for each file touched; on disk only after sync(). Without commit_tail() afterwards
  /// the next append overwrites it.
  result<std::vector<place>> append(std::span<const record> records);
  /// Everything appended is on disk. Does nothing when it is already.
  result<void> sync();
  /// The index knows of everything appended up to now.
  void commit_tail() noexcept;
  /// The index does not: go back to what it knows.
  result<void> rollback();

  std::uint32_t current() const noexcept { return number_; }
  std::uint64_t end() const noexcept { return end_; }

private:
  result<void> begin_segment();
  result<void> reserve(std::uint64_t end);
  result<void> fill_with_zeros(std::uint64_t end);

  std::filesystem::path folder_;
  std::uint64_t segment_bytes_;
  io::file file_;
  std::uint32_t number_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t allocated_ = 0; ///< space is reserved up to here
  std::uint64_t zeroed_ = 0;    ///< and holds written zeros up to here
  bool unsynced_ = false;       ///< something was appended since the last sync
  std::uint32_t committed_number_ = 0;
  std::uint64_t committed_end_ = 0;
};

/// The readers' side: open segment files, shared by all readers and kept while somebody reads or for the next one.
class segment_files {
public:
  explicit segment_files(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// errc::not_found when the segment was compacted away.
  result<std::shared_ptr<const io::file>> open(std::uint32_t number);
  /// The segment is about to be removed; readers that have it keep it.
  void forget(std::uint32_t number);

private:
  static constexpr std::size_t most_open = 64; ///< descriptors kept without a reader

  std::filesystem::path folder_;
  std::mutex lock_;
  std::map<std::uint32_t, std::shared_ptr<const io::file>> open_;
};

} // namespace merpati::storage
