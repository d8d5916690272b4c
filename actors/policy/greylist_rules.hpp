// Greylisting that learns, as a plain object (RFC 6647 describes the practice): a client network that offers mail from
// a sender to a recipient for the first time is asked to come again. Mail servers do; most senders of bulk rubbish
// don't. A network whose tries passed often enough is known and passes at once, and stays known while it goes on
// sending.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/ip_address.hpp"

namespace merpati::policy {

/// What greylisting counts as one client: the IPv4 /24 or IPv6 /64, since senders spread retries over their machines.
std::string greylist_network(const ip_address& client);

class greylist_rules {
public:
  struct limits {
    std::chrono::seconds delay{60};        ///< a try before that is too early
    std::chrono::seconds window{172'800};  ///< a try after that is a first one again; servers retry within two days
    std::uint32_t known_after = 5;         ///< passed triplets that make a network known; from 1
    std::chrono::seconds known{3'024'000}; ///< for so long after its last mail: 35 days, so that monthly mail keeps it
    std::size_t triplets = 200'000;        ///< about 150 octets each; the oldest are forgotten
    std::size_t networks = 100'000;        ///< the same
  };

  explicit greylist_rules(limits l) : limits_(l) {}

  /// Zero: let it in. Else how long to wait until the next try may pass. `sender` and `recipient` are compared
  /// without regard to the case of ASCII letters.
  std::chrono::seconds check(const std::string& network, std::string_view sender, std::string_view recipient,
                             timestamp now);

  /// What is known, as lines of text.
  std::string save() const;
  /// Adds what `text`, made by save(), knows and this object does not; of times that differ the longer knowledge wins.
  /// Lines that can't be read, have expired by `now` or come from the future are left out. Returns how many could not
  /// be read.
  std::size_t restore(std::string_view text, timestamp now);

  std::size_t triplets() const noexcept { return triplets_.entries.size(); }
  std::size_t networks() const noexcept { return networks_.entries.size(); }

private:
  struct entry {
    std::string key;
    timestamp at;            ///< triplet: first try; network: last mail
    std::uint32_t count = 0; ///< network: triplets that passed. Triplet: 1 when it has passed
  };
  /// Entries in the order of their last change, oldest at the back.
  struct table {
    std::list<entry> entries;
    std::unordered_map<std::string_view, std::list<entry>::iterator> index;

    entry* find(std::string_view key);
    entry& touch(std::string_view key, timestamp at);
    void erase(std::string_view key);
    void trim(std::size_t most, timestamp oldest);
  };

  bool restore_line(std::string_view line, timestamp now);
  void learn(const std::string& network, timestamp now);

  limits limits_;
  table triplets_;
  table networks_;
};

} // namespace merpati::policy
