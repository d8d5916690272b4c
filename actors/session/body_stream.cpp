#include "actors/session/body_stream.hpp"

#include <algorithm>
#include <utility>

namespace merpati::session {

body_stream::body_stream(const store::node_store& store, storage::body_reader reader)
    : store_(&store),
      reader_(std::make_shared<storage::body_reader>(std::move(reader))),
      piece_(std::make_shared<std::vector<char>>()) {}

result<body_stream> body_stream::open(const store::node_store& store, std::uint32_t shard, body_id id) {
  auto view = store.read(shard);
  if (!view)
    return tl::make_unexpected(view.error());
  return open(store, shard, *view, id);
}

result<body_stream> body_stream::open(const store::node_store& store, std::uint32_t shard,
                                      const storage::read_view& view, body_id id) {
  auto place = view.body(id);
  if (!place)
    return fail(errc::not_found, "the message's body is gone");
  auto reader = store.shard(shard).open_body(*place);
  if (!reader)
    return tl::make_unexpected(reader.error());
  return body_stream(store, std::move(*reader));
}

runtime::task<result<std::string_view>> body_stream::read(runtime::session_io& io, std::uint64_t offset,
                                                          std::uint64_t length) {
  auto want = static_cast<std::size_t>(std::min<std::uint64_t>({length, piece_bytes, size_bytes() - offset}));
  if (piece_->size() < want)
    piece_->resize(want);
  auto got = reader_->read(offset, std::span<char>(piece_->data(), want), true);
  if (!got && got.error().code == errc::unavailable) {
    auto answer = std::make_shared<result<std::size_t>>(0);
    store::io_job job;
    job.run = [reader = reader_, piece = piece_, answer, offset, want] {
      *answer = reader->read(offset, std::span<char>(piece->data(), want), false);
    };
    auto done = co_await io.ask<store::io_done>(store_->io().next(), std::move(job));
    if (!done)
      co_return tl::make_unexpected(done.error());
    got = std::move(*answer);
  }
  if (!got)
    co_return tl::make_unexpected(got.error());
  co_return std::string_view(piece_->data(), *got);
}

} // namespace merpati::session
