// The index as text, one line a row, for tests and for people.
#pragma once

#include <string>

#include "storage/lmdb_env.hpp"

namespace merpati::storage {

/// Everything that mutations determine: two shards that were given the same mutations have the same dump. Where a body
/// lies on disk and which commit wrote a row are left out.
std::string dump_index(const transaction& txn);

} // namespace merpati::storage
