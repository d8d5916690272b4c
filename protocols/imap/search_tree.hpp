// A compiled search: keys as nodes of a flat tree, the text to look for as matchers. Only search_program's own sources
// include this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocols/imap/search_program.hpp"
#include "protocols/mime/decoder.hpp"

namespace merpati::imap {

struct search_program::impl {
  static constexpr std::size_t no_leaf = static_cast<std::size_t>(-1);

  struct node {
    search_key::kind what = search_key::kind::all;
    std::uint64_t number = 0; ///< flag bit, keyword mask, size, seconds, mod-sequence, object id
    std::chrono::sys_days date{};
    std::string field; ///< lower case
    std::string text;
    sequence_set set;
    std::size_t leaf = no_leaf; ///< its place among the nodes that look for text
    std::vector<node> children;
  };

  /// What is known of one message. `found` is only there while its octets are looked through.
  struct subject {
    std::uint32_t sequence = 0;
    const message_item* item = nullptr;
    const mime::summary_view* summary = nullptr;
    const std::vector<bool>* found = nullptr; ///< for each leaf
    bool complete = false;                    ///< nothing more will be found
  };

  node compile(const search_key& key, const search_context& context, std::optional<error>& failure);
  search_verdict evaluate(const node& n, const subject& s);
  search_verdict row_verdict(const node& n, const message_item& item, std::uint32_t sequence) const;
  search_verdict text_verdict(const node& n, const subject& s);
  std::optional<bool> summary_text(const node& n, const mime::summary_view& summary);
  search_verdict sent_verdict(const node& n, const mime::summary_view* summary) const;

  node root;
  std::vector<mime::text_matcher> matchers; ///< one for each leaf
  std::vector<const node*> leaves;          ///< filled when the tree stands
  timestamp now;
  std::uint32_t messages = 0;
  std::uint32_t last_uid = 0;
  bool wants_summary = false;
  bool wants_body = false;

  void collect_leaves(const node& n);
};

} // namespace merpati::imap
