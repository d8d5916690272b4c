// A message on its way into the store: parsed while its octets arrive, held in memory while it is small, written to a
// spool file on another thread from then on. No session holds more than the limit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/runtime/session.hpp"
#include "actors/store/node_store.hpp"
#include "protocols/mime/parser.hpp"
#include "storage/mutation.hpp"

namespace merpati::mail {

/// The file that a large message waits in.
struct message_spool;

/// What add_message wants to know of a message.
struct taken_message {
  storage::body_source body;
  std::vector<storage::front> fronts; ///< as they were handed in, each with its summary
  std::uint64_t thread_key = 0;
  std::shared_ptr<message_spool> spool; ///< keeps a spooled body's file; to be held until add_message is answered
  std::uint64_t size_bytes() const;
};

/// `length` octets from `offset` of a message that is not stored yet. errc::unavailable and the like: the file can't be
/// read.
runtime::task<result<std::string>> read_taken(runtime::session_io& io, const store::node_store& store,
                                              const taken_message& taken, std::uint64_t offset, std::uint64_t length);

struct intake_limits {
  std::size_t in_memory_bytes = 256 * 1024; ///< larger messages go to a spool file
  mime::limits mime;
};

class message_intake {
public:
  /// Spools in the folder of `shard`. `fronts`: what will stand before the message for some of its recipients; one is
  /// empty where nothing does. `store` and `limits` outlive the intake.
  message_intake(const store::node_store& store, std::uint32_t shard, const intake_limits& limits,
                 std::vector<std::string> fronts = {std::string()});

  /// The next octets. Follow it with flush() when wants_flush().
  void add(std::string_view octets);
  bool wants_flush() const noexcept { return buffer_.size() > (spool_ ? spool_piece_bytes : limits_->in_memory_bytes); }
  /// Waits until what is held has gone to the spool file. errc::disk_full, errc::unavailable.
  runtime::task<result<void>> flush(runtime::session_io& io);

  /// The complete message; a spool file is on disk (synced) now. Call once.
  runtime::task<result<taken_message>> finish(runtime::session_io& io);

private:
  /// Large enough to amortise the hop to the other thread, small beside a session's budget.
  static constexpr std::size_t spool_piece_bytes = 128 * 1024;

  const store::node_store* store_;
  std::uint32_t shard_;
  const intake_limits* limits_;
  std::vector<std::string> fronts_;
  std::vector<mime::parser> parsers_; ///< one for each front: places in a message depend on what stands before it
  std::string buffer_;
  std::shared_ptr<message_spool> spool_;
};

} // namespace merpati::mail
