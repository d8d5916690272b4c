#include "actors/mail/message_intake.hpp"

#include <optional>
#include <utility>

#include "protocols/mime/summary.hpp"
#include "storage/shard.hpp"

namespace merpati::mail {

/// Shared with the thread that writes: it may outlive the session.
struct message_spool {
  std::optional<storage::spool_file> file;
  result<void> written;
  result<storage::spooled_body> finished = fail(errc::internal, "the spool file was not finished");

  void append(storage::shard& shard, std::string_view octets) {
    if (!file) {
      auto started = shard.start_spool();
      if (!started) {
        written = tl::make_unexpected(started.error());
        return;
      }
      file = std::move(*started);
    }
    written = file->append(octets);
  }
};

std::uint64_t taken_message::size_bytes() const {
  if (const auto* octets = std::get_if<std::shared_ptr<const std::string>>(&body))
    return (*octets)->size();
  return std::get<storage::spooled_body>(body).size_bytes;
}

runtime::task<result<std::string>> read_taken(runtime::session_io& io, const store::node_store& store,
                                              const taken_message& taken, std::uint64_t offset, std::uint64_t length) {
  if (const auto* octets = std::get_if<std::shared_ptr<const std::string>>(&taken.body))
    co_return (*octets)->substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
  struct reading {
    std::string octets;
    result<std::size_t> got = fail(errc::internal, "the spool file was not read");
  };
  auto read = std::make_shared<reading>();
  read->octets.resize(static_cast<std::size_t>(length));
  store::io_job job;
  job.run = [spool = taken.spool, read, offset] { read->got = spool->file->read(offset, read->octets); };
  auto done = co_await io.ask<store::io_done>(store.io().next(), std::move(job));
  if (!done)
    co_return tl::make_unexpected(done.error());
  if (!read->got)
    co_return tl::make_unexpected(read->got.error());
  if (*read->got != length)
    co_return fail(errc::corrupted, "the spool file ends early");
  co_return std::move(read->octets);
}

message_intake::message_intake(const store::node_store& store, std::uint32_t shard, const intake_limits& limits,
                               std::vector<std::string> fronts)
    : store_(&store), shard_(shard), limits_(&limits), fronts_(std::move(fronts)) {
  parsers_.reserve(fronts_.size());
  for (const auto& header : fronts_)
    parsers_.emplace_back(limits.mime).feed(header);
}

void message_intake::add(std::string_view octets) {
  for (auto& parser : parsers_)
    parser.feed(octets);
  buffer_.append(octets);
}

runtime::task<result<void>> message_intake::flush(runtime::session_io& io) {
  if (!spool_)
    spool_ = std::make_shared<message_spool>();
  auto octets = std::make_shared<const std::string>(std::exchange(buffer_, {}));
  store::io_job job;
  job.run = [target = spool_, octets, shard = &store_->shard(shard_)] { target->append(*shard, *octets); };
  auto done = co_await io.ask<store::io_done>(store_->io().next(), std::move(job));
  if (!done)
    co_return tl::make_unexpected(done.error());
  co_return spool_->written;
}

runtime::task<result<taken_message>> message_intake::finish(runtime::session_io& io) {
  taken_message taken;
  for (std::size_t i = 0; i != fronts_.size(); ++i)
    taken.fronts.push_back({std::move(fronts_[i]), mime::summarise(parsers_[i].finish(), limits_->mime)});
  if (auto view = mime::summary_view::open(taken.fronts.front().summary))
    taken.thread_key = view->thread_key();
  if (!spool_) {
    taken.body = std::make_shared<const std::string>(std::move(buffer_));
    co_return taken;
  }
  auto flushed = co_await flush(io);
  if (!flushed)
    co_return tl::make_unexpected(flushed.error());
  store::io_job job;
  job.run = [target = spool_] { target->finished = target->file->finish(); };
  auto done = co_await io.ask<store::io_done>(store_->io().next(), std::move(job));
  if (!done)
    co_return tl::make_unexpected(done.error());
  if (!spool_->finished)
    co_return tl::make_unexpected(spool_->finished.error());
  taken.body = std::move(*spool_->finished);
  taken.spool = spool_;
  co_return taken;
}

} // namespace merpati::mail
