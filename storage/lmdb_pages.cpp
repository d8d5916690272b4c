#include "storage/lmdb_pages.hpp"

#include <cstring>
#include <string>

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>

#include "storage/io.hpp"

namespace merpati::storage {

namespace {

// Offsets are those of 64-bit machines in their own byte order, as LMDB writes them.
constexpr std::uint32_t meta_magic = 0xbeefc0de;
constexpr std::size_t page_header_bytes = 16;
constexpr std::size_t node_header_bytes = 8;
constexpr std::uint16_t page_is_leaf = 0x02;
constexpr std::uint16_t page_is_overflow = 0x04;
constexpr std::uint16_t page_is_leaf2 = 0x20;
constexpr std::uint16_t node_is_big = 0x01;
constexpr std::uint32_t default_page_bytes = 4096;
constexpr std::uint64_t longest_value = 64ull << 20;

template <class T>
T at(std::string_view page, std::size_t offset) {
  T v{};
  std::memcpy(&v, page.data() + offset, sizeof v);
  return v;
}

std::optional<lmdb_meta> parse_meta(std::string_view page) {
  if (at<std::uint32_t>(page, 16) != meta_magic || at<std::uint32_t>(page, 20) != 1)
    return std::nullopt;
  lmdb_meta m;
  m.page_bytes = at<std::uint32_t>(page, 40);
  m.last_page = at<std::uint64_t>(page, 136);
  m.commit = at<std::uint64_t>(page, 144);
  bool sane = m.page_bytes >= 512 && m.page_bytes <= 65536 && (m.page_bytes & (m.page_bytes - 1)) == 0;
  return sane ? std::optional(m) : std::nullopt;
}

/// Entries of one leaf page. `overflow` reads a value that lies in pages of its own.
void read_leaf(
    std::string_view page, const std::function<void(std::string_view, std::string_view)>& each,
    const std::function<std::optional<std::string>(std::uint64_t page_number, std::uint32_t size)>& overflow) {
  std::size_t lower = at<std::uint16_t>(page, 12);
  if (lower < page_header_bytes || lower > page.size())
    return;
  for (std::size_t slot = page_header_bytes; slot + 2 <= lower; slot += 2) {
    std::size_t node = at<std::uint16_t>(page, slot);
    if (node < lower || node + node_header_bytes > page.size())
      continue;
    auto data_size = at<std::uint32_t>(page, node);
    auto flags = at<std::uint16_t>(page, node + 4);
    std::size_t key_size = at<std::uint16_t>(page, node + 6);
    if (node + node_header_bytes + key_size > page.size())
      continue;
    auto key = page.substr(node + node_header_bytes, key_size);
    auto data_at = node + node_header_bytes + key_size;
    if (flags & node_is_big) {
      if (data_at + 8 <= page.size())
        if (auto value = overflow(at<std::uint64_t>(page, data_at), data_size))
          each(key, *value);
    } else if (data_at + data_size <= page.size()) {
      each(key, page.substr(data_at, data_size));
    }
  }
}

} // namespace

result<lmdb_meta> read_lmdb_meta(const std::filesystem::path& data_file) {
  auto file = io::open(data_file, O_RDONLY);
  if (!file)
    return tl::unexpected(file.error());
  auto damaged = [&] {
    return fail(errc::corrupted,
                fmt::format("the head of {} is damaged: run merpati fsck with salvage", data_file.string()));
  };
  std::string page(152, '\0');
  auto got = io::read(*file, page.data(), page.size(), 0);
  if (!got)
    return tl::unexpected(got.error());
  auto first = *got == page.size() ? parse_meta(page) : std::nullopt;
  if (!first)
    return damaged();
  got = io::read(*file, page.data(), page.size(), first->page_bytes);
  if (!got)
    return tl::unexpected(got.error());
  auto second = *got == page.size() ? parse_meta(page) : std::nullopt;
  if (!second || second->page_bytes != first->page_bytes)
    return damaged();
  return first->commit > second->commit ? *first : *second;
}

result<std::uint64_t> scan_lmdb_leaves(const std::filesystem::path& data_file,
                                       const std::function<void(std::string_view, std::string_view)>& each,
                                       const std::function<void(double)>& progress) {
  auto file = io::open(data_file, O_RDONLY);
  if (!file)
    return tl::unexpected(file.error());
  auto length = io::size(*file);
  if (!length)
    return tl::unexpected(length.error());
  auto meta = read_lmdb_meta(data_file);
  std::uint64_t page_bytes = meta ? meta->page_bytes : default_page_bytes;
  auto overflow = [&](std::uint64_t number, std::uint32_t size) -> std::optional<std::string> {
    if (size > longest_value || number >= *length / page_bytes)
      return std::nullopt;
    std::string value(size, '\0');
    auto got = io::read(*file, value.data(), size, number * page_bytes + page_header_bytes);
    return got && *got == size ? std::optional(std::move(value)) : std::nullopt;
  };
  std::string page(page_bytes, '\0');
  std::uint64_t leaves = 0;
  for (std::uint64_t offset = 2 * page_bytes; offset + page_bytes <= *length; offset += page_bytes) {
    auto got = io::read(*file, page.data(), page.size(), offset);
    if (!got || *got != page.size())
      continue; // an unreadable sector costs its own page only
    auto flags = at<std::uint16_t>(page, 10);
    if (at<std::uint64_t>(page, 0) == offset / page_bytes && (flags & page_is_leaf)
        && !(flags & (page_is_overflow | page_is_leaf2))) {
      ++leaves;
      read_leaf(page, each, overflow);
    }
    if (progress && (offset / page_bytes) % 4096 == 0)
      progress(static_cast<double>(offset) / static_cast<double>(*length));
  }
  return leaves;
}

} // namespace merpati::storage
