// Opening a shard: everything that is checked, made or cleaned up before the first mutation.
#include <charconv>
#include <tuple>

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/file.h>

#include "base/log.hpp"
#include "storage/lmdb_pages.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

namespace {

bool has_files(const std::filesystem::path& folder) {
  std::error_code problem;
  std::filesystem::directory_iterator files(folder, problem);
  return !problem && files != std::filesystem::directory_iterator();
}

/// The number in a name like 0000001f.seg; 0 for any other name.
std::uint64_t numbered(const std::filesystem::path& path, std::string_view extension) {
  auto name = path.filename().string();
  std::uint64_t number = 0;
  if (!name.ends_with(extension))
    return 0;
  auto end = name.data() + name.size() - extension.size();
  auto [stop, problem] = std::from_chars(name.data(), end, number, 16);
  return problem == std::errc{} && stop == end ? number : 0;
}

result<void> make_folders_above(const std::filesystem::path& folder) {
  if (folder.empty() || std::filesystem::exists(folder))
    return {};
  if (auto made = make_folders_above(folder.parent_path()); !made)
    return made;
  return io::make_folder(folder);
}

/// What LMDB would not notice: a file cut to nothing reads as a new store, one cut short ends the process.
result<void> check_index_file(const shard_paths& paths, bool read_only) {
  std::error_code problem;
  auto size = std::filesystem::file_size(paths.index_file(), problem);
  if (problem || size == 0) {
    if (has_files(paths.segments()) || has_files(paths.bodies()))
      return fail(errc::corrupted, fmt::format("{} is missing or empty, but there are messages beside it: run merpati "
                                               "fsck with salvage",
                                               paths.index_file().string()));
    return {};
  }
  auto meta = read_lmdb_meta(paths.index_file());
  if (!meta)
    return tl::unexpected(meta.error());
  auto needed = (meta->last_page + 1) * meta->page_bytes;
  if (size >= needed || read_only)
    return {};
  // Pages that were set aside and never written may be missing at the end; a longer file makes a lost page readable as
  // zeros, which LMDB reports as damage instead of dying of it.
  auto file = io::open(paths.index_file(), O_RDWR);
  if (!file)
    return tl::unexpected(file.error());
  return io::truncate(*file, needed);
}

} // namespace

result<io::file> lock_shard(const std::filesystem::path& folder) {
  auto lock = io::open(shard_paths{folder}.lock(), O_RDWR | O_CREAT);
  if (!lock)
    return lock;
  if (::flock(lock->fd(), LOCK_EX | LOCK_NB) != 0)
    return fail(errc::in_use,
                fmt::format("{} is open in another merpati process: stop that one first", folder.string()));
  return lock;
}

result<std::unique_ptr<lmdb_env>> open_index(const shard_options& options, bool read_only) {
  shard_paths paths{options.folder};
  if (auto good = check_index_file(paths, read_only); !good)
    return tl::unexpected(good.error());
  return lmdb_env::open({paths.index(), options.initial_map_bytes, options.max_map_bytes, read_only});
}

result<void> shard::state::make_folders() {
  if (auto made = make_folders_above(paths.folder); !made)
    return made;
  if (auto local = io::require_local_file_system(paths.folder); !local)
    return local;
  auto locked = lock_shard(paths.folder);
  if (!locked)
    return tl::unexpected(locked.error());
  lock = std::move(*locked);
  for (const auto& folder : {paths.index(), paths.segments(), paths.bodies(), paths.spool()})
    if (auto made = io::make_folder(folder); !made)
      return made;
  return {};
}

result<void> shard::state::initialise() {
  {
    auto txn = env->begin_read();
    if (!txn)
      return tl::unexpected(txn.error());
    if (auto value = txn->get(table::meta, schema::version_key)) {
      auto version = schema::decode_number(*value).value_or(0);
      if (version != schema::version)
        return fail(errc::invalid, fmt::format("{} has storage format {}, this program reads {}: use a merpati that "
                                               "knows it",
                                               paths.folder.string(), version, schema::version));
      return {};
    }
    if (has_files(paths.segments()) || has_files(paths.bodies()))
      return fail(errc::corrupted, fmt::format("the index of {} lost its marker, but there are messages beside it: run "
                                               "merpati fsck with salvage",
                                               paths.folder.string()));
  }
  auto txn = env->begin_write();
  if (!txn)
    return tl::unexpected(txn.error());
  txn->put(table::meta, schema::version_key, schema::encode_number(schema::version));
  txn->put(table::meta, schema::counters_key, schema::encode(schema::counters{}));
  txn->commit();
  if (auto synced = env->sync(); !synced) // LMDB syncs neither its file's length nor its folder
    return synced;
  return io::sync_folder(paths.index());
}

result<void> shard::state::open_segments() {
  std::uint32_t number = 0;
  schema::segment_row row;
  {
    auto txn = env->begin_read();
    if (!txn)
      return tl::unexpected(txn.error());
    if (auto last = txn->last_key(table::segments)) {
      auto value = txn->get(table::segments, *last);
      auto known = value ? schema::decode_segment(*value) : std::nullopt;
      if (!known)
        return fail(errc::corrupted, "the newest row of table segments can't be read: run merpati fsck");
      number = big32(*last);
      row = *known;
    }
  }
  auto opened = segments.open(number, row.end_bytes);
  if (opened)
    return {};
  if (opened.error().code != errc::corrupted && opened.error().code != errc::not_found)
    return opened;
  // Its messages are damaged, each for itself; new ones go to a new file.
  log::error("{}: messages in it are lost, run merpati fsck", opened.error().what);
  segments.begin_after(number);
  return {};
}

void shard::state::remove_leftovers() {
  std::vector<std::string> doomed;
  std::uint64_t next_body = 0;
  std::uint32_t last_segment = 0;
  {
    auto txn = env->begin_read();
    if (!txn)
      return;
    txn->scan_raw(table::doomed, {}, [&](std::string_view key, auto, auto) {
      doomed.emplace_back(key);
      return true;
    });
    if (auto value = txn->get(table::meta, schema::counters_key))
      if (auto numbers = schema::decode_counters(*value))
        next_body = numbers->next_body;
    if (auto last = txn->last_key(table::segments))
      last_segment = big32(*last);
  }
  remove_doomed(doomed);
  std::error_code problem;
  auto remove_if = [&](const std::filesystem::path& folder, auto&& unwanted) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder, problem))
      if (unwanted(entry.path()))
        found.push_back(entry.path());
    for (const auto& path : found)
      std::ignore = io::unlink(path); // harmless where it is; the next start tries again
  };
  remove_if(paths.spool(), [](const auto&) { return true; });
  if (next_body > 0)
    remove_if(paths.bodies(), [&](const auto& path) { return numbered(path, ".body") >= next_body; });
  remove_if(paths.segments(), [&](const auto& path) { return numbered(path, ".seg") > last_segment; });
}

result<void> shard::state::open() {
  if (auto made = make_folders(); !made)
    return made;
  auto opened = open_index(options, false);
  if (!opened)
    return tl::unexpected(opened.error());
  env = std::move(*opened);
  if (auto ready = initialise(); !ready)
    return ready;
  if (auto ready = open_segments(); !ready)
    return ready;
  remove_leftovers();
  return {};
}

} // namespace merpati::storage
