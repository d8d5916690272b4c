// A shard as a person would write it down, and random mutations that keep both in step.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>

#include "storage/shard.hpp"

namespace merpati::storage::testing {

/// What the tests believe about a shard. Changed only by mutations that were answered with success.
class model {
public:
  struct message {
    std::string text;
    std::uint8_t flags = 0;
    std::set<std::string> keywords;
    std::uint64_t changed = 0;
  };
  struct box {
    account_id owner;
    std::string name;
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 1;
    std::uint64_t highest = 1;
    std::map<std::uint32_t, message> messages;
    std::set<std::uint32_t> expunged;
  };

  std::map<std::uint64_t, box> boxes;
  std::vector<account_id> owners;
  std::set<std::uint32_t> validities; ///< every UIDVALIDITY that was ever seen

  /// A mutation that makes sense now (and sometimes one that does not).
  mutation random_mutation(std::mt19937_64& random);
  /// Applies a batch to `s` and to this. False when something failed for a while (disk full, I/O error).
  bool apply(shard& s, const std::vector<mutation>& batch);
  /// Everything that readers see is as written down here.
  void compare(const shard& s) const;

private:
  void carry_out(const mutation& m, const outcome& done);
  void refresh(const shard& s, const std::vector<mailbox_id>& touched);
  box* pick(std::mt19937_64& random);
  std::uint64_t number_ = 0; ///< makes every text different
};

} // namespace merpati::storage::testing
