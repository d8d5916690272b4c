// Large bodies on their way in: a file in the spool folder that add_message takes over by name.
#include <tuple>

#include <fcntl.h>

#include "base/crypto.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

struct spool_file::state {
  io::file file;
  std::string name;
  std::uint64_t size_bytes = 0;
  crypto::running_checksum sum;
  ~state() { std::ignore = io::unlink(file.path()); } // gone already where add_message took it over
};

spool_file::spool_file(std::unique_ptr<state> s) : state_(std::move(s)) {}
spool_file::spool_file(spool_file&&) noexcept = default;
spool_file& spool_file::operator=(spool_file&&) noexcept = default;
spool_file::~spool_file() = default;

result<void> spool_file::append(std::string_view octets) {
  if (octets.empty())
    return {};
  iovec piece{const_cast<char*>(octets.data()), octets.size()};
  if (auto written = io::write(state_->file, {&piece, 1}, state_->size_bytes); !written)
    return written;
  state_->sum.add(octets);
  state_->size_bytes += octets.size();
  return {};
}

result<std::size_t> spool_file::read(std::uint64_t offset, std::span<char> into) const {
  return io::read(state_->file, into.data(), into.size(), offset);
}

result<spooled_body> spool_file::finish() {
  if (auto synced = io::sync(state_->file); !synced)
    return tl::unexpected(synced.error());
  if (auto synced = io::sync_folder(state_->file.path().parent_path()); !synced)
    return tl::unexpected(synced.error());
  return spooled_body{state_->name, state_->size_bytes, state_->sum.value()};
}

result<spool_file> shard::start_spool() {
  if (auto admitted = admits(0); !admitted)
    return tl::unexpected(admitted.error());
  auto name = crypto::random_text(24);
  auto file = io::open(state_->paths.spool() / name, O_RDWR | O_CREAT | O_EXCL);
  if (!file)
    return tl::unexpected(file.error());
  std::unique_ptr<spool_file::state> s(new spool_file::state{std::move(*file), std::move(name), 0, {}});
  return spool_file(std::move(s));
}

} // namespace merpati::storage
