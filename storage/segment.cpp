#include "storage/segment.hpp"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>

#include "base/crypto.hpp"
#include "storage/codec.hpp"

namespace merpati::storage {

namespace {

constexpr std::uint64_t record_magic = 0x3144524f43455250; // "PRECORD1"
constexpr std::string_view file_magic = "MERPSEG1";
// Space is reserved in steps of this size, so that most syncs find the file's length and place on disk unchanged.
constexpr std::uint64_t allocation_step = 16ull << 20;
// A small batch pays for its sync alone. Where it overwrites zeros instead of filling reserved space, the file system
// has no change of its own to write with it: 150 instead of 200 us on ext4 (docs/performance.md). Zeros are written
// twice the octets, so batches that are large enough to share a sync do without.
constexpr std::uint64_t small_batch_bytes = 64ull << 10;
constexpr std::uint64_t zero_step = 256ull << 10;
constexpr char padding[8] = {};

} // namespace

std::string encode_record_header(const record_header& h) {
  std::string out;
  out.reserve(record_header_bytes);
  encoder e(out);
  e.u64(record_magic).u64(h.id.value).u64(h.size_bytes).u64(h.checksum);
  e.u64(crypto::checksum(out));
  return out;
}

std::optional<record_header> decode_record_header(std::string_view octets) {
  if (octets.size() < record_header_bytes)
    return std::nullopt;
  decoder d(octets.substr(0, record_header_bytes));
  record_header h;
  if (d.u64() != record_magic)
    return std::nullopt;
  h.id = body_id(d.u64());
  h.size_bytes = d.u64();
  h.checksum = d.u64();
  if (d.u64() != crypto::checksum(octets.substr(0, record_header_bytes - 8)))
    return std::nullopt;
  return h;
}

std::filesystem::path segment_path(const std::filesystem::path& shard_folder, std::uint32_t number) {
  return shard_folder / "segments" / fmt::format("{:08x}.seg", number);
}

std::filesystem::path large_body_path(const std::filesystem::path& shard_folder, body_id id) {
  return shard_folder / "bodies" / fmt::format("{:016x}.body", id.value);
}

result<std::uint64_t> walk_segment(const io::file& segment, std::uint64_t limit_bytes,
                                   const std::function<bool(const record_header&, std::uint64_t)>& each) {
  std::uint64_t at = segment_header_bytes;
  std::string octets(record_header_bytes, '\0');
  while (at + record_header_bytes <= limit_bytes) {
    auto got = io::read(segment, octets.data(), octets.size(), at);
    if (!got)
      return tl::unexpected(got.error());
    auto head = *got == octets.size() ? decode_record_header(octets) : std::nullopt;
    if (!head || head->size_bytes > limit_bytes - at - record_header_bytes || !each(*head, at + record_header_bytes))
      break;
    at += record_bytes(head->size_bytes);
  }
  return at;
}

result<void> segment_writer::open(std::uint32_t number, std::uint64_t end) {
  number_ = committed_number_ = number;
  end_ = committed_end_ = allocated_ = zeroed_ = end;
  file_ = {};
  if (number == 0)
    return {};
  auto opened = io::open(segment_path(folder_, number), O_RDWR);
  if (!opened)
    return tl::unexpected(opened.error());
  auto size = io::size(*opened);
  if (!size)
    return tl::unexpected(size.error());
  if (*size < end)
    return fail(errc::corrupted,
                fmt::format("{} has {} octets where {} were committed", opened->path().string(), *size, end));
  // Old octets must not look like records behind new ones to whoever has to read the file without the index.
  if (auto cut = io::truncate(*opened, end); !cut)
    return cut;
  file_ = std::move(*opened);
  return {};
}

void segment_writer::begin_after(std::uint32_t number) noexcept {
  file_ = {};
  number_ = committed_number_ = number;
  end_ = committed_end_ = allocated_ = zeroed_ = segment_bytes_;
}

result<void> segment_writer::begin_segment() {
  if (number_ == UINT32_MAX)
    return fail(errc::too_many, "the shard has used up its segment numbers");
  if (auto synced = sync(); !synced)
    return synced;
  if (file_)
    if (auto cut = io::truncate(file_, end_); !cut)
      return cut;
  auto next = number_ + 1;
  auto created = io::open(segment_path(folder_, next), O_RDWR | O_CREAT | O_TRUNC);
  if (!created)
    return tl::unexpected(created.error());
  std::string head(file_magic);
  encoder e(head);
  e.u64(next).u64(crypto::checksum(head));
  head.resize(segment_header_bytes, '\0');
  iovec piece{head.data(), head.size()};
  if (auto written = io::write(*created, {&piece, 1}, 0); !written)
    return written;
  if (auto synced = io::sync(*created); !synced)
    return synced;
  if (auto synced = io::sync_folder(folder_ / "segments"); !synced)
    return synced;
  file_ = std::move(*created);
  number_ = next;
  end_ = allocated_ = zeroed_ = segment_header_bytes;
  return {};
}

result<void> segment_writer::reserve(std::uint64_t end) {
  if (end <= zeroed_)
    return {};
  if (end - end_ <= small_batch_bytes)
    return fill_with_zeros(end);
  if (end <= allocated_)
    return {};
  auto wanted = std::max(end, std::min((end / allocation_step + 1) * allocation_step, segment_bytes_));
  // Where a whole step does not fit on the disk the records themselves may still; the write decides.
  if (auto done = io::allocate(file_, allocated_, wanted - allocated_); !done && done.error().code != errc::disk_full)
    return done;
  allocated_ = wanted;
  return {};
}

result<void> segment_writer::fill_with_zeros(std::uint64_t end) {
  auto from = std::max(zeroed_, end_);
  auto to = end + zero_step;
  std::string zeros(to - from, '\0');
  iovec piece{zeros.data(), zeros.size()};
  // Where the zeros do not fit on the disk the records themselves may still; their write decides.
  if (auto written = io::write(file_, {&piece, 1}, from); !written)
    return written.error().code == errc::disk_full ? result<void>() : written;
  zeroed_ = to;
  allocated_ = std::max(allocated_, to);
  return {};
}

result<std::vector<segment_writer::place>> segment_writer::append(std::span<const record> records) {
  std::vector<place> places;
  places.reserve(records.size());
  std::size_t first = 0;
  while (first < records.size()) {
    if (number_ == 0 || end_ >= segment_bytes_)
      if (auto begun = begin_segment(); !begun)
        return tl::unexpected(begun.error());
    // As many records as begin before the segment's end: where a body lands does not depend on how writes are grouped.
    auto at = end_;
    auto last = first;
    std::vector<std::string> heads;
    std::vector<iovec> pieces;
    for (; last < records.size() && at < segment_bytes_; ++last) {
      const auto& r = records[last];
      places.push_back({number_, at + record_header_bytes});
      at += record_bytes(r.head.size_bytes);
      heads.push_back(encode_record_header(r.head));
    }
    pieces.reserve(4 * heads.size());
    auto add = [&](std::string_view s) {
      if (!s.empty())
        pieces.push_back({const_cast<char*>(s.data()), s.size()});
    };
    for (auto i = first; i < last; ++i) {
      const auto& r = records[i];
      add(heads[i - first]);
      add(r.before);
      add(r.octets);
      add({padding, record_bytes(r.head.size_bytes) - record_header_bytes - r.head.size_bytes});
    }
    if (auto reserved = reserve(at); !reserved)
      return tl::unexpected(reserved.error());
    if (auto written = io::write(file_, pieces, end_); !written)
      return tl::unexpected(written.error());
    // The disk works while the index transaction is made.
    io::begin_write_out(file_, end_, at - end_);
    unsynced_ = true;
    end_ = at;
    first = last;
  }
  return places;
}

result<void> segment_writer::sync() {
  if (!unsynced_)
    return {};
  auto synced = io::sync(file_);
  if (synced)
    unsynced_ = false;
  return synced;
}

void segment_writer::commit_tail() noexcept {
  committed_number_ = number_;
  committed_end_ = end_;
}

result<void> segment_writer::rollback() {
  unsynced_ = false;
  if (number_ == committed_number_) {
    end_ = committed_end_;
    return {};
  }
  return open(committed_number_, committed_end_);
}

result<std::shared_ptr<const io::file>> segment_files::open(std::uint32_t number) {
  std::lock_guard guard(lock_);
  if (auto found = open_.find(number); found != open_.end())
    return found->second;
  auto opened = io::open(segment_path(folder_, number), O_RDONLY);
  if (!opened)
    return tl::unexpected(opened.error());
  if (open_.size() >= most_open)
    open_.erase(open_.begin()); // the oldest segment
  return open_.emplace(number, std::make_shared<const io::file>(std::move(*opened))).first->second;
}

void segment_files::forget(std::uint32_t number) {
  std::lock_guard guard(lock_);
  open_.erase(number);
}

} // namespace merpati::storage
