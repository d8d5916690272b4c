#include "storage/salvage.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>

#include "base/crypto.hpp"
#include "storage/lmdb_pages.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

namespace {

// A transaction of this many rows stays far below what LMDB keeps dirty at a time.
constexpr std::size_t rows_per_commit = 20'000;

struct found_row {
  std::string payload;
  std::uint64_t commit = 0;
};

/// The newest readable version of every row, by table and key.
using found_rows = std::map<std::pair<table, std::string>, found_row>;

/// What the new shard's own counting gives, or what only makes sense beside the old files.
bool is_derived(table t) {
  return t == table::account_names || t == table::mailbox_names || t == table::quotas || t == table::waiting_due
         || t == table::delivery_ages || t == table::segments || t == table::doomed || t == table::bodies;
}

class salvager {
public:
  salvager(const shard_options& options, const progress_function& progress)
      : old_{options.folder}, options_(options), progress_(progress) {
    options_.folder = options.folder.string() + ".salvaged";
  }

  result<void> read_index() {
    auto seen = scan_lmdb_leaves(
        old_.index_file(),
        [this](std::string_view key, std::string_view stored) {
          auto row = locate_row(key, stored);
          if (!row)
            return;
          auto& kept = rows_[{row->where, std::move(row->key)}];
          if (kept.commit <= row->value.commit)
            kept = {std::string(row->value.payload), row->value.commit};
        },
        progress_);
    if (!seen && seen.error().code != errc::not_found)
      return tl::unexpected(seen.error());
    return {};
  }

  /// A message whose tombstone is newer than its row was removed.
  void drop_expunged() {
    for (const auto& [where, row] : rows_) {
      const auto& [t, key] = where;
      if (t != table::changes || key.size() != 20 || row.payload != "\2")
        continue;
      auto message = rows_.find({table::messages, key.substr(0, 8) + key.substr(16)});
      if (message == rows_.end())
        continue;
      auto decoded = schema::decode_message(message->first.second, message->second.payload);
      if (decoded && decoded->changed.value < big64(std::string_view(key).substr(8)))
        rows_.erase(message);
    }
    // Changes of messages that are there are made anew; tombstones stay.
    std::erase_if(rows_, [&](const auto& entry) {
      const auto& [t, key] = entry.first;
      if (t != table::changes)
        return false;
      return entry.second.payload != "\2" || rows_.contains({table::messages, key.substr(0, 8) + key.substr(16)});
    });
  }

  result<void> write() {
    auto made = shard::open(options_);
    if (!made)
      return tl::unexpected(made.error());
    made->reset(); // an initialised, empty shard; from here on its parts are written directly
    auto env = open_index(options_, false);
    if (!env)
      return tl::unexpected(env.error());
    env_ = std::move(*env);
    if (auto aside = io::make_folder(shard_paths{options_.folder}.aside()); !aside)
      return aside;
    if (auto done = write_rows(); !done)
      return done;
    return copy_bodies();
  }

  const shard_options& new_options() const noexcept { return options_; }
  std::vector<fsck_finding>& findings() noexcept { return findings_; }

private:
  /// Runs `work` in one transaction, again after growing where the map was full.
  result<void> in_transaction(const std::function<void(transaction&)>& work) {
    for (;;) {
      try {
        auto txn = env_->begin_write();
        if (!txn)
          return tl::unexpected(txn.error());
        work(*txn);
        txn->commit();
        return {};
      } catch (const failure& f) {
        if (!f.map_full)
          return tl::unexpected(f.why);
      }
      if (auto grown = env_->grow(0, std::chrono::seconds(1)); !grown)
        return grown;
    }
  }

  result<void> write_rows() {
    for (auto at = rows_.begin(); at != rows_.end();) {
      auto begin = at;
      for (std::size_t n = 0; at != rows_.end() && n < rows_per_commit; ++n)
        ++at;
      auto done = in_transaction([&](transaction& txn) {
        for (auto row = begin; row != at; ++row)
          if (!is_derived(row->first.first))
            txn.put(row->first.first, row->first.second, row->second.payload);
      });
      if (!done)
        return done;
    }
    return {};
  }

  std::optional<body_row> known_body(body_id id) const {
    auto found = rows_.find({table::bodies, std::string(std::string_view(schema::id_key(id.value)))});
    return found == rows_.end() ? std::nullopt : schema::decode_body(found->first.second, found->second.payload);
  }

  result<void> copy_bodies() {
    segment_writer out(options_.folder, options_.segment_bytes);
    std::error_code problem;
    std::vector<std::filesystem::path> segments;
    for (const auto& entry : std::filesystem::directory_iterator(old_.segments(), problem))
      segments.push_back(entry.path());
    std::sort(segments.begin(), segments.end());
    for (const auto& path : segments)
      if (auto done = copy_segment(path, out); !done)
        return done;
    for (const auto& entry : std::filesystem::directory_iterator(old_.bodies(), problem))
      if (auto done = copy_large(entry.path()); !done)
        return done;
    return {};
  }

  /// Records may follow octets that are damaged: after one that is not whole the next is looked for, 8 octets on.
  result<void> copy_segment(const std::filesystem::path& path, segment_writer& out) {
    auto file = io::open(path, O_RDONLY);
    if (!file)
      return tl::unexpected(file.error());
    auto length = io::size(*file);
    if (!length)
      return tl::unexpected(length.error());
    std::string head(record_header_bytes, '\0');
    std::string window;
    std::uint64_t window_at = 0;
    bool lost = false;
    for (std::uint64_t at = segment_header_bytes; at + record_header_bytes <= *length;) {
      if (at < window_at || at + record_header_bytes > window_at + window.size()) {
        window.resize(1 << 20);
        auto got = io::read(*file, window.data(), window.size(), window_at = at);
        if (!got)
          return tl::unexpected(got.error());
        window.resize(*got);
      }
      auto record = decode_record_header(std::string_view(window).substr(at - window_at));
      if (!record || record->size_bytes > *length - at - record_header_bytes) {
        bool zeros = std::string_view(window).substr(at - window_at, 8).find_first_not_of('\0') == std::string::npos;
        if (!lost && !zeros)
          findings_.push_back({fmt::format("{} offset {}", path.string(), at), "no record begins here", false});
        lost = !zeros;
        at += 8;
        continue;
      }
      lost = false;
      if (auto done = copy_record(*file, path, *record, at + record_header_bytes, out); !done)
        return done;
      at += record_bytes(record->size_bytes);
    }
    return {};
  }

  result<void> copy_record(const io::file& file, const std::filesystem::path& path, const record_header& record,
                           std::uint64_t at, segment_writer& out) {
    if (done_.contains(record.id))
      return {};
    std::string octets(record.size_bytes, '\0');
    auto got = io::read(file, octets.data(), octets.size(), at);
    if (!got || *got != octets.size() || crypto::checksum(octets) != record.checksum) {
      findings_.push_back({fmt::format("{} offset {}", path.string(), at),
                           fmt::format("the octets of body {} are damaged", record.id.value), false});
      return {};
    }
    if (referred_.empty())
      find_references();
    if (!referred_.contains(record.id.value)) // dead, or its message is lost: kept for a person to look at
      return known_body(record.id) ? write_file(
                 shard_paths{options_.folder}.aside() / fmt::format("body-{}.eml", record.id.value), octets)
                                   : result<void>();
    segment_writer::record copy{record, {}, octets};
    auto places = out.append({&copy, 1});
    if (auto synced = places ? out.sync() : tl::unexpected(places.error()); !synced)
      return synced;
    body_row row{record.id,
                 record.size_bytes,
                 record.checksum,
                 referred_.at(record.id.value),
                 places->front().segment,
                 places->front().offset};
    done_.insert(record.id);
    return in_transaction([&](transaction& txn) {
      txn.put(table::bodies, schema::id_key(row.id.value), schema::encode(row));
      txn.put(table::segments, schema::segment_key(row.segment), schema::encode(schema::segment_row{out.end(), 0}));
    });
  }

  result<void> copy_large(const std::filesystem::path& path) {
    std::uint64_t number = std::strtoull(path.filename().c_str(), nullptr, 16);
    auto row = known_body(body_id(number));
    if (referred_.empty())
      find_references();
    if (!row || row->segment != 0 || !referred_.contains(number))
      return {};
    std::error_code problem;
    std::filesystem::copy_file(path, large_body_path(options_.folder, row->id), problem);
    if (problem)
      return fail(errc::unavailable, fmt::format("cannot copy {}: {}", path.string(), problem.message()));
    row->references = referred_.at(number);
    return in_transaction(
        [&](transaction& txn) { txn.put(table::bodies, schema::id_key(number), schema::encode(*row)); });
  }

  void find_references() {
    for (const auto& [where, row] : rows_) {
      if (where.first == table::messages)
        if (auto message = schema::decode_message(where.second, row.payload))
          ++referred_[message->body.value];
      if (where.first == table::waiting)
        if (auto waiting = schema::decode_waiting(where.second, row.payload))
          ++referred_[waiting->body.value];
    }
  }

  result<void> write_file(const std::filesystem::path& path, std::string& octets) {
    auto file = io::open(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file)
      return tl::unexpected(file.error());
    iovec piece{octets.data(), octets.size()};
    return io::write(*file, {&piece, 1}, 0);
  }

  shard_paths old_;
  shard_options options_;
  const progress_function& progress_;
  found_rows rows_;
  std::unordered_map<std::uint64_t, std::uint32_t> referred_;
  std::set<body_id> done_;
  std::unique_ptr<lmdb_env> env_;
  std::vector<fsck_finding> findings_;
};

} // namespace

result<fsck_report> salvage(const shard_options& options, const summary_function& summarise,
                            const progress_function& progress) {
  salvager work(options, progress);
  if (std::filesystem::exists(work.new_options().folder))
    return fail(errc::already_exists,
                fmt::format("{} is there already: move it away", work.new_options().folder.string()));
  if (auto read = work.read_index(); !read)
    return tl::unexpected(read.error());
  work.drop_expunged();
  if (auto written = work.write(); !written)
    return tl::unexpected(written.error());
  auto new_options = work.new_options();
  auto findings = std::move(work.findings());
  {
    auto closed = std::move(work); // LMDB opens a file once for each process
  }
  auto report = examine_shard(new_options, fsck_mode::repair, summarise, progress);
  if (report)
    report->findings.insert(report->findings.begin(), findings.begin(), findings.end());
  return report;
}

} // namespace merpati::storage
