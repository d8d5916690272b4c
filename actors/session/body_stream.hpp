// The octets of a stored message, read by a session: from the page cache at once, else on a thread that may block.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "actors/runtime/session.hpp"
#include "actors/store/node_store.hpp"
#include "storage/shard.hpp"

namespace merpati::session {

class body_stream {
public:
  /// Largest piece that read() gives; bounds what a session holds while it sends a message.
  static constexpr std::size_t piece_bytes = 64 * 1024;

  /// errc::not_found: no such body; errc::corrupted, errc::unavailable: it can't be read.
  static result<body_stream> open(const store::node_store& store, std::uint32_t shard, body_id id);
  /// The same within a view of that shard that is at hand.
  static result<body_stream> open(const store::node_store& store, std::uint32_t shard, const storage::read_view& view,
                                  body_id id);

  std::uint64_t size_bytes() const noexcept { return reader_->size_bytes(); }

  /// At most `length` octets from `offset`, never more than piece_bytes and fewer only there or at the end of the body;
  /// valid until the next call.
  runtime::task<result<std::string_view>> read(runtime::session_io& io, std::uint64_t offset, std::uint64_t length);

private:
  body_stream(const store::node_store& store, storage::body_reader reader);

  const store::node_store* store_;
  std::shared_ptr<storage::body_reader> reader_;
  std::shared_ptr<std::vector<char>> piece_;
};

} // namespace merpati::session
