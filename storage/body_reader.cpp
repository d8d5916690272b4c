#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/uio.h>

#include "base/crypto.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

struct body_reader::state {
  std::shared_ptr<const io::file> file;
  body_row where;
  std::uint64_t checked = 0; ///< octets seen from the front without a gap
  crypto::running_checksum sum;
};

body_reader::body_reader(std::unique_ptr<state> s) : state_(std::move(s)) {}
body_reader::body_reader(body_reader&&) noexcept = default;
body_reader& body_reader::operator=(body_reader&&) noexcept = default;
body_reader::~body_reader() = default;

std::uint64_t body_reader::size_bytes() const noexcept {
  return state_->where.size_bytes;
}

result<std::size_t> body_reader::read(std::uint64_t offset, std::span<char> into, bool only_cached) {
  auto& s = *state_;
  if (offset >= s.where.size_bytes)
    return std::size_t{0};
  auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), s.where.size_bytes - offset));
  std::size_t done = 0;
  while (done < wanted) {
    iovec piece{into.data() + done, wanted - done};
    auto got = ::preadv2(s.file->fd(), &piece, 1, static_cast<off_t>(s.where.offset + offset + done),
                         only_cached ? RWF_NOWAIT : 0);
    if (got < 0 && errno == EINTR)
      continue;
    // EOPNOTSUPP: a file system that can't tell what is cached.
    if (got < 0 && only_cached && (errno == EAGAIN || errno == EOPNOTSUPP))
      return fail(errc::unavailable, "the octets are not in memory");
    if (got < 0)
      return io::fail_errno(errno, "read", s.file->path());
    if (got == 0)
      return fail(errc::corrupted,
                  fmt::format("body {} ends early in {}: run merpati fsck", s.where.id.value, s.file->path().string()));
    done += static_cast<std::size_t>(got);
  }
  if (offset <= s.checked && offset + done > s.checked) {
    auto fresh = static_cast<std::size_t>(s.checked - offset);
    s.sum.add({into.data() + fresh, done - fresh});
    s.checked += done - fresh;
    if (s.checked == s.where.size_bytes && s.sum.value() != s.where.checksum)
      return fail(errc::corrupted, fmt::format("body {} in {} fails its checksum: run merpati fsck", s.where.id.value,
                                               s.file->path().string()));
  }
  return done;
}

result<body_reader> shard::open_body(const body_row& where) const {
  auto open_at = [&](const body_row& row) -> result<std::shared_ptr<const io::file>> {
    if (row.segment != 0)
      return state_->files->open(row.segment);
    auto file = io::open(large_body_path(state_->paths.folder, row.id), O_RDONLY);
    if (!file)
      return tl::unexpected(file.error());
    return std::make_shared<const io::file>(std::move(*file));
  };
  auto at = where;
  auto file = open_at(at);
  if (!file && file.error().code == errc::not_found) {
    // Compaction moved the body after the caller looked it up.
    auto now = read();
    if (!now)
      return tl::unexpected(now.error());
    auto row = now->body(where.id);
    if (!row)
      return fail(errc::not_found, fmt::format("body {} was removed", where.id.value));
    at = *row;
    file = open_at(at);
  }
  if (!file)
    return tl::unexpected(file.error());
  std::unique_ptr<body_reader::state> s(new body_reader::state{std::move(*file), at, 0, {}});
  return body_reader(std::move(s));
}

} // namespace merpati::storage
