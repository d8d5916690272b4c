// The file format of LMDB 0.9, as far as it takes to check a file before LMDB maps it, and to read its leaves one by
// one when its trees can't be trusted. Reads plain octets, follows no pointer, believes no length.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/result.hpp"

namespace merpati::storage {

struct lmdb_meta {
  std::uint32_t page_bytes = 0;
  std::uint64_t last_page = 0;
  std::uint64_t commit = 0;
};

/// The newer of the two meta pages. errc::corrupted where either is damaged.
result<lmdb_meta> read_lmdb_meta(const std::filesystem::path& data_file);

/// Calls `each` with every key and value that lies in any leaf page of the file, in use or freed, whole or not: the
/// caller judges by checksum. `progress` is called with a share of 0 to 1. Returns how many leaf pages were seen.
result<std::uint64_t> scan_lmdb_leaves(const std::filesystem::path& data_file,
                                       const std::function<void(std::string_view key, std::string_view value)>& each,
                                       const std::function<void(double)>& progress);

} // namespace merpati::storage
