// Where one message goes: recipients as the client named them become mailboxes and remote addresses, each of them once,
// through aliases, forwards and lists of lists. Built recipient by recipient while the transaction goes on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "actors/mail/router.hpp"
#include "protocols/smtp/envelope.hpp"

namespace merpati::mail {

/// What a list's posting rule and the permission to relay depend on.
struct sender_facts {
  smtp::reverse_path sender;
  std::string account;              ///< who logged in, canonical; empty: nobody
  std::uint64_t declared_bytes = 0; ///< what the client says the message has; 0: unknown
};

enum class admission : std::uint8_t {
  taken,
  unknown_recipient,
  relay_denied, ///< another server's domain, and nobody logged in
  over_quota,   ///< an account that was addressed itself is full now
  may_not_post, ///< the list is not for this sender
  loop,         ///< aliases or lists that lead to themselves only
};

/// What an alias, a list or a forward leads to and is not there any more.
struct dead_end {
  std::string address; ///< that is gone
  std::string behind;  ///< the alias, list or account that leads to it
};

/// "gone@example.org of all@example.org, ..." for a line in the log: the first ten, and how many more.
std::string describe(const std::vector<dead_end>& dead_ends);

class delivery_plan {
public:
  struct local_delivery {
    account_id account;
    std::uint32_t shard = 0;
    std::string address; ///< of the account, canonical
    std::size_t front = 0;
    smtp::rcpt_parameters parameters; ///< none for what a list sends
  };
  struct remote_delivery {
    smtp::mailbox address;
    smtp::reverse_path sender; ///< as it came, rewritten, or a list's own
    std::size_t front = 0;
    smtp::rcpt_parameters parameters; ///< none for what a list sends
  };
  /// A member of a list whose mailbox is full now: it gets its copy later.
  struct deferred_delivery {
    std::string address;
    std::size_t front = 0;
  };
  /// A recipient and what it leads to.
  struct candidate {
    admission what = admission::taken; ///< as far as the address itself tells
    smtp::recipient recipient;
    route where;
  };
  struct admitted {
    admission what = admission::taken;
    std::optional<std::size_t> local; ///< the recipient is exactly this one of local()
  };

  /// `rules` and `recorder` outlive this.
  delivery_plan(const routing_rules& rules, sender_facts sender, timestamp now, step_recorder* recorder = nullptr);

  /// Where a recipient leads, before it is added: for who has more to ask first. errc as find_route.
  result<candidate> look_at(const storage::read_view& view, smtp::recipient recipient) const;
  /// Another recipient. Nothing is added unless it is taken. errc as find_route.
  result<admitted> add(const storage::read_view& view, candidate found);
  /// look_at() and add() in one.
  result<admitted> add(const storage::read_view& view, smtp::recipient recipient);

  const std::vector<local_delivery>& local() const noexcept { return local_; }
  const std::vector<remote_delivery>& remote() const noexcept { return remote_; }
  const std::vector<deferred_delivery>& deferred() const noexcept { return deferred_; }
  /// What stands before the message, for each of the fronts that deliveries name.
  std::vector<std::string> fronts() const;
  /// The message came here before: a Delivered-To of it (its value) names an address that this plan passes it on from.
  bool is_loop(std::string_view delivered_to) const;
  /// Of all recipients so far, each once.
  const std::vector<dead_end>& dead_ends() const noexcept { return dead_ends_; }

private:
  /// How a delivery came about.
  struct way {
    smtp::reverse_path sender;
    std::string fields;    ///< header fields so far
    std::string forwarder; ///< the address that passed it on last; its domain rewrites the sender
    smtp::rcpt_parameters parameters;
    bool from_list = false;
    std::size_t depth = 0;
  };
  /// A set of these.
  enum outcome_bit : std::uint8_t { reached = 1, reached_before = 2, went_in_circles = 4, is_dead_end = 8 };
  using outcomes = std::uint8_t;

  admission may_enter(const storage::read_view& view, const route& where) const;
  bool may_post(const list_settings& list) const;
  bool is_full(const storage::read_view& view, const to_account& account) const;
  result<outcomes> follow(const storage::read_view& view, route where, const way& so_far);
  result<outcomes> follow_once(const storage::read_view& view, const std::string& address,
                               const std::vector<std::string>& targets, const way& next);
  result<outcomes> follow_all(const storage::read_view& view, const std::string& address,
                              const std::vector<std::string>& targets, const way& next);
  result<outcomes> pass(const storage::read_view& view, const to_account& account, const way& so_far);
  result<outcomes> expand(const storage::read_view& view, const to_list& list, const way& so_far);
  outcomes deliver(const storage::read_view& view, const to_account& account, const way& so_far);
  outcomes relay(const smtp::mailbox& address, const way& so_far);
  smtp::reverse_path rewritten(const way& so_far) const;
  std::size_t front_of(std::string header);

  const routing_rules& rules_;
  sender_facts sender_;
  timestamp now_;
  step_recorder* recorder_;
  std::vector<local_delivery> local_;
  std::vector<remote_delivery> remote_;
  std::vector<deferred_delivery> deferred_;
  std::map<std::string, std::size_t> fronts_; ///< header to number
  std::unordered_set<std::uint64_t> accounts_;
  std::set<std::string> remotes_;
  std::map<std::string, outcomes> followed_; ///< aliases, lists and forwards, with what they came to
  std::set<std::string> passed_on_;          ///< addresses that the message leaves with a Delivered-To of theirs
  std::vector<dead_end> dead_ends_;
};

/// The fields that a list puts before a message (RFC 2919, RFC 2369), and Delivered-To, which ends loops.
std::string list_fields(const std::string& address, const list_settings& list);

} // namespace merpati::mail
