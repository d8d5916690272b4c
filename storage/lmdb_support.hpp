// What the two halves of the index share: names of LMDB's trees, its error numbers as ours. Private to storage/.
#pragma once

#include <array>
#include <cerrno>
#include <string_view>

#include <lmdb.h>
#include <spdlog/fmt/fmt.h>

#include "storage/lmdb_env.hpp"

namespace merpati::storage {

/// LMDB's own trees, by name.
enum class tree : std::uint8_t { directory, state, mail, content, transit };
inline constexpr std::array<const char*, tree_count> tree_names{"directory", "state", "mail", "content", "transit"};

inline error to_error(int rc, std::string_view action) {
  auto code = errc::unavailable;
  switch (rc) {
  case ENOSPC:
  case EDQUOT:
  case MDB_MAP_FULL: code = errc::disk_full; break;
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_INVALID:
  case MDB_VERSION_MISMATCH: code = errc::corrupted; break;
  case MDB_BAD_VALSIZE:
  case MDB_BAD_TXN:
  case EINVAL: code = errc::internal; break;
  default: break;
  }
  return {code, fmt::format("the index failed to {}: {}", action, mdb_strerror(rc))};
}

inline void require(int rc, std::string_view action) {
  if (rc != MDB_SUCCESS)
    throw failure{to_error(rc, action), rc == MDB_MAP_FULL};
}

} // namespace merpati::storage
