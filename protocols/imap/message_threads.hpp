// THREAD (RFC 5256): the messages that a search found, as conversations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocols/imap/command.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "protocols/mime/summary.hpp"

namespace merpati::imap {

class message_threads {
public:
  explicit message_threads(thread_algorithm how) : how_(how) {}

  /// `number` is what is told of the message: sequence number or UID. Messages come in the order of the mailbox.
  void add(std::uint32_t number, const message_item& item, const mime::summary_view& summary);
  /// "* THREAD (2)(3 6 (4 23)(44 7 96))". Once.
  void write(std::string& out) &&;

private:
  using index = std::uint32_t;
  static constexpr index nobody = UINT32_MAX;

  /// A message, or where others refer to one that is not among those found, its place (RFC 5256 calls it a dummy).
  struct node {
    std::uint32_t number = 0; ///< 0: a dummy
    std::int64_t sent = 0;
    std::string subject; ///< base subject, for comparing
    bool is_reply = false;
    index parent = nobody;
    std::uint32_t below = 0;     ///< nodes with this parent, while parents are still being found
    std::vector<index> children; ///< once they all are
    bool is_dummy() const noexcept { return number == 0; }
  };

  index place_of(std::string_view message_id);
  bool is_above(index upper, index lower) const;
  void link(index parent, index child);
  void unlink(index child);
  /// From parents to children and roots_.
  void grow_down();
  void prune(std::vector<index>& siblings, bool at_root);
  void prune_all();
  std::int64_t date_of(index i) const;
  void sort_siblings(std::vector<index>& siblings);
  void sort_all();
  const node& first_message(index i) const;
  void merge_by_subject();
  void merge(index into, index from, std::size_t root_of_into);
  void group_by_subject();
  void write_thread(index root, std::string& out) const;

  thread_algorithm how_;
  std::vector<node> nodes_;
  std::unordered_map<std::string, index> by_id_; ///< Message-ID to its node
  std::vector<index> roots_;
};

} // namespace merpati::imap
