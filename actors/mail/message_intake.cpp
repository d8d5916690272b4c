#include "actors/mail/message_intake.hpp"

#include <optional>
#include <utility>

#include "protocols/mime/summary.hpp"
#include "storage/shard.hpp"

namespace merpati::mail {

/// Shared with the thread that writes: it may outlive the session.
struct message_intake::spool {
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
    spool_ = std::make_shared<spool>();
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
