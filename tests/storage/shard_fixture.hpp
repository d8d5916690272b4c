// What the tests of storage/ share: folders that go away, shards with small limits, and short ways to say a mutation.
#pragma once

#include <filesystem>
#include <random>
#include <string>

#include <unistd.h>

#include "storage/fsck.hpp"
#include "storage/shard.hpp"
#include "tests/support/catch2.hpp"

namespace merpati::storage::testing {

/// A new folder for as long as the object lives.
class temporary_folder {
public:
  temporary_folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "merpati-storage-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

inline shard_options small_options(const std::filesystem::path& folder) {
  shard_options o;
  o.folder = folder;
  o.initial_map_bytes = 1 << 20;
  o.max_map_bytes = 1 << 30;
  o.segment_bytes = 64 << 10;
  o.reserve_bytes = 0;
  return o;
}

inline std::unique_ptr<shard> open_shard(const shard_options& o) {
  auto opened = shard::open(o);
  if (!opened)
    FAIL("open: " << opened.error().what);
  return std::move(*opened);
}

inline timestamp at(std::int64_t seconds) {
  return timestamp(std::chrono::seconds(seconds));
}

inline std::string describe(const fsck_report& report) {
  std::string out;
  for (const auto& f : report.findings)
    out += f.where + ": " + f.what + (f.repaired ? " (repaired)\n" : "\n");
  return out;
}

inline std::string summary_of(std::string_view message) {
  return "summary of " + std::string(message.substr(0, 20));
}

inline void require_clean(const shard_options& o) {
  auto report = fsck(o, fsck_mode::verify, summary_of);
  if (!report)
    FAIL("fsck: " << report.error().what);
  INFO(describe(*report));
  REQUIRE(report->findings.empty());
}

/// One mutation, which must succeed.
inline outcome must(shard& s, mutation m) {
  auto answers = s.apply({&m, 1});
  REQUIRE(answers.size() == 1);
  if (!answers[0])
    FAIL("apply: " << answers[0].error().what);
  return std::move(*answers[0]);
}

/// One mutation, which must fail.
inline errc refused(shard& s, mutation m) {
  auto answers = s.apply({&m, 1});
  REQUIRE(answers.size() == 1);
  REQUIRE_FALSE(answers[0].has_value());
  return answers[0].error().code;
}

inline account_id add_account(shard& s, const std::string& name, std::uint64_t quota_bytes = 0) {
  put_account m;
  m.account.name = name;
  m.account.quota_bytes = quota_bytes;
  return must(s, m).account;
}

inline add_message message_to(account_id who, std::string body, std::string mailbox = "INBOX") {
  add_message m;
  m.fronts.push_back({"", summary_of(body)});
  m.body = std::make_shared<const std::string>(std::move(body));
  m.now = at(1'700'000'000);
  m.internal_date = at(1'600'000'000);
  target t;
  t.account = who;
  t.name = std::move(mailbox);
  t.create = true;
  m.targets.push_back(std::move(t));
  return m;
}

inline std::string octets_of(const shard& s, const body_row& row) {
  auto reader = s.open_body(row);
  if (!reader)
    FAIL("open_body: " << reader.error().what);
  std::string out(row.size_bytes, '\0');
  auto got = reader->read(0, out);
  if (!got)
    FAIL("read: " << got.error().what);
  REQUIRE(*got == out.size());
  return out;
}

inline std::string message_text(const shard& s, mailbox_id box, uid which) {
  auto view = s.read();
  REQUIRE(view.has_value());
  auto row = view->message(box, which);
  REQUIRE(row.has_value());
  auto body = view->body(row->body);
  REQUIRE(body.has_value());
  return octets_of(s, *body);
}

} // namespace merpati::storage::testing
