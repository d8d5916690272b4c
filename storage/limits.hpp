// What storage accepts at most. Protocol limits are stricter; these keep a row inside what LMDB and memory can hold.
#pragma once

#include <cstddef>
#include <cstdint>

namespace merpati::storage {

struct limits {
  std::size_t mailbox_name_bytes = 1000;          ///< with 32 levels: what common clients can still show
  std::size_t mailbox_levels = 32;                ///< bounds the parents that one CREATE makes
  std::size_t keyword_bytes = 128;                ///< 64 of them stay inside one page beside the rest of the row
  std::size_t name_bytes = 400;                   ///< accounts, domains, addresses: RFC 5321 4.5.3.1 allows 320
  std::size_t settings_bytes = 1 << 20;           ///< a list of some 20,000 members
  std::size_t summary_bytes = 16 << 20;           ///< larger than any header block that is accepted
  std::size_t header_bytes = 64 << 10;            ///< Return-Path, Delivered-To and Received, with room
  std::size_t fronts = 4'096;                     ///< each is a body of its own: far more lists than a message meets
  std::size_t details_bytes = 1 << 20;            ///< a waiting row holds one recipient's story
  std::size_t targets = 100'000;                  ///< a large list in one message
  std::size_t list_items = 4'000'000;             ///< UIDs or rows in one mutation
  std::size_t spool_name_bytes = 64;              ///< our own random names have 24
  std::uint32_t mailboxes_per_account = 20'000;   ///< one name look-up each in LIST; stops a runaway client
  std::size_t subscriptions_per_account = 20'000; ///< counted when one is added
};

inline constexpr limits storage_limits{};

} // namespace merpati::storage
