// Mutations as octets and back. Layout: the number of the alternative, then its fields in the order of the struct.
#include <tuple>

#include "base/crypto.hpp"
#include "storage/codec.hpp"
#include "storage/limits.hpp"
#include "storage/mutation.hpp"
#include "storage/schema.hpp"

namespace merpati::storage {

namespace {

constexpr std::uint8_t format = 1;
constexpr std::size_t longest_text = 1ull << 40; ///< a body; the decoder bounds it by what is there

// Ascending numbers are written as differences: a run of UIDs takes an octet each.
template <class Id>
void put_ids(encoder& e, const std::vector<Id>& ids) {
  e.varint(ids.size());
  std::uint64_t last = 0;
  for (auto id : ids) {
    e.varint(id.value - last); // wraps where they do not ascend, and wraps back
    last = id.value;
  }
}

template <class Id>
std::vector<Id> take_ids(decoder& d) {
  std::vector<Id> ids(d.count(storage_limits.list_items));
  std::uint64_t last = 0;
  for (auto& id : ids) {
    last += d.varint();
    if (last > std::numeric_limits<typename Id::rep>::max())
      d.bad();
    id = Id(static_cast<typename Id::rep>(last));
  }
  return ids;
}

void put_texts(encoder& e, const std::vector<std::string>& texts) {
  e.varint(texts.size());
  for (const auto& t : texts)
    e.text(t);
}

std::vector<std::string> take_texts(decoder& d) {
  std::vector<std::string> texts;
  for (auto n = d.count(storage_limits.list_items); n > 0 && d.ok(); --n)
    texts.emplace_back(d.text(longest_text));
  return texts;
}

void put(encoder& e, const add_message& m) {
  e.raw(crypto::as_text(m.delivery));
  if (const auto* memory = std::get_if<std::shared_ptr<const std::string>>(&m.body)) {
    e.u8(*memory ? 1 : 0).text(*memory ? std::string_view(**memory) : std::string_view());
  } else {
    const auto& spooled = std::get<spooled_body>(m.body);
    e.u8(2).text(spooled.file).varint(spooled.size_bytes).u64(spooled.checksum);
  }
  e.varint(m.fronts.size());
  for (const auto& f : m.fronts)
    e.text(f.header).text(f.summary);
  e.u64(m.thread_key).time(m.now).time(m.internal_date).varint(m.targets.size());
  for (const auto& t : m.targets) {
    e.varint(t.account.value).varint(t.mailbox.value).text(t.name).u8(t.create).varint(t.front).u8(t.flags);
    put_texts(e, t.keywords);
    e.u8(t.skip_when_full);
  }
  e.varint(m.waiting.size());
  for (const auto& w : m.waiting)
    e.text(w.destination).time(w.next_due).text(w.details).varint(w.front);
}

void take(decoder& d, add_message& m) {
  auto id = d.raw(m.delivery.size());
  std::copy(id.begin(), id.end(), m.delivery.begin());
  auto kind = d.u8();
  if (kind <= 1) {
    auto text = d.text(longest_text);
    if (kind == 1)
      m.body = std::make_shared<const std::string>(text);
    else if (!text.empty())
      d.bad();
  } else if (kind == 2) {
    spooled_body spooled;
    spooled.file = d.text(storage_limits.spool_name_bytes);
    spooled.size_bytes = d.varint();
    spooled.checksum = d.u64();
    m.body = std::move(spooled);
  } else {
    d.bad();
  }
  for (auto n = d.count(storage_limits.fronts); n > 0 && d.ok(); --n) {
    front f;
    f.header = d.text(longest_text);
    f.summary = d.text(longest_text);
    m.fronts.push_back(std::move(f));
  }
  m.thread_key = d.u64();
  m.now = d.time();
  m.internal_date = d.time();
  for (auto n = d.count(storage_limits.targets); n > 0 && d.ok(); --n) {
    target t;
    t.account = account_id(d.varint());
    t.mailbox = mailbox_id(d.varint());
    t.name = d.text(longest_text);
    t.create = d.boolean();
    t.front = d.varint32();
    t.flags = d.u8();
    t.keywords = take_texts(d);
    t.skip_when_full = d.boolean();
    m.targets.push_back(std::move(t));
  }
  for (auto n = d.count(storage_limits.targets); n > 0 && d.ok(); --n) {
    new_waiting w;
    w.destination = d.text(longest_text);
    w.next_due = d.time();
    w.details = d.text(longest_text);
    w.front = d.varint32();
    m.waiting.push_back(std::move(w));
  }
}

void put(encoder& e, const store_flags& m) {
  e.varint(m.mailbox.value);
  put_ids(e, m.uids);
  e.u8(static_cast<std::uint8_t>(m.how)).u8(m.flags);
  put_texts(e, m.keywords);
  e.u8(m.unchanged_since.has_value()).varint(m.unchanged_since.value_or(modseq()).value);
}
void take(decoder& d, store_flags& m) {
  m.mailbox = mailbox_id(d.varint());
  m.uids = take_ids<uid>(d);
  auto how = d.u8();
  if (how > static_cast<std::uint8_t>(store_flags::mode::remove))
    d.bad();
  m.how = static_cast<store_flags::mode>(how);
  m.flags = d.u8();
  m.keywords = take_texts(d);
  bool since = d.boolean();
  auto value = modseq(d.varint());
  if (since)
    m.unchanged_since = value;
}

void put(encoder& e, const expunge& m) {
  e.varint(m.mailbox.value);
  put_ids(e, m.uids);
  e.u8(m.only_deleted);
}
void take(decoder& d, expunge& m) {
  m.mailbox = mailbox_id(d.varint());
  m.uids = take_ids<uid>(d);
  m.only_deleted = d.boolean();
}

void put(encoder& e, const copy_messages& m) {
  e.varint(m.from.value).varint(m.to.value);
  put_ids(e, m.uids);
  e.u8(m.remove_source).time(m.now);
}
void take(decoder& d, copy_messages& m) {
  m.from = mailbox_id(d.varint());
  m.to = mailbox_id(d.varint());
  m.uids = take_ids<uid>(d);
  m.remove_source = d.boolean();
  m.now = d.time();
}

void put(encoder& e, const create_mailbox& m) {
  e.varint(m.account.value).text(m.name).varint(m.special_use).varint(m.uid_validity).u8(m.subscribed);
}
void take(decoder& d, create_mailbox& m) {
  m.account = account_id(d.varint());
  m.name = d.text(longest_text);
  m.special_use = d.varint32();
  m.uid_validity = d.varint32();
  m.subscribed = d.boolean();
}

void put(encoder& e, const delete_mailbox& m) {
  e.varint(m.mailbox.value);
}
void take(decoder& d, delete_mailbox& m) {
  m.mailbox = mailbox_id(d.varint());
}

void put(encoder& e, const rename_mailbox& m) {
  e.varint(m.mailbox.value).text(m.new_name).varint(m.uid_validity);
}
void take(decoder& d, rename_mailbox& m) {
  m.mailbox = mailbox_id(d.varint());
  m.new_name = d.text(longest_text);
  m.uid_validity = d.varint32();
}

void put(encoder& e, const subscribe& m) {
  e.varint(m.account.value).text(m.name).u8(m.on);
}
void take(decoder& d, subscribe& m) {
  m.account = account_id(d.varint());
  m.name = d.text(longest_text);
  m.on = d.boolean();
}

void put(encoder& e, const put_account& m) {
  schema::put_account_row(e, m.account);
}
void take(decoder& d, put_account& m) {
  m.account = schema::take_account_row(d);
}

void put(encoder& e, const delete_account& m) {
  e.varint(m.account.value);
}
void take(decoder& d, delete_account& m) {
  m.account = account_id(d.varint());
}

void put(encoder& e, const put_domain& m) {
  e.text(m.domain.name).text(m.domain.settings);
}
void take(decoder& d, put_domain& m) {
  m.domain.name = d.text(longest_text);
  m.domain.settings = d.text(longest_text);
}
void put(encoder& e, const delete_domain& m) {
  e.text(m.name);
}
void take(decoder& d, delete_domain& m) {
  m.name = d.text(longest_text);
}

void put(encoder& e, const put_address& m) {
  e.text(m.address.address).text(m.address.settings);
}
void take(decoder& d, put_address& m) {
  m.address.address = d.text(longest_text);
  m.address.settings = d.text(longest_text);
}
void put(encoder& e, const delete_address& m) {
  e.text(m.address);
}
void take(decoder& d, delete_address& m) {
  m.address = d.text(longest_text);
}

void put(encoder& e, const update_waiting& m) {
  e.varint(m.put.size());
  for (const auto& row : m.put)
    e.varint(row.id.value).varint(row.body.value).text(row.destination).time(row.next_due).text(row.details);
  put_ids(e, m.remove);
  e.varint(m.replacements.size());
  for (const auto& replacement : m.replacements)
    put(e, replacement);
  e.varint(m.deliver.size());
  for (const auto& each : m.deliver)
    e.varint(each.id.value).varint(each.account.value).time(each.now);
}
void take(decoder& d, update_waiting& m) {
  for (auto n = d.count(storage_limits.list_items); n > 0 && d.ok(); --n) {
    waiting_row row;
    row.id = waiting_id(d.varint());
    row.body = body_id(d.varint());
    row.destination = d.text(longest_text);
    row.next_due = d.time();
    row.details = d.text(longest_text);
    m.put.push_back(std::move(row));
  }
  m.remove = take_ids<waiting_id>(d);
  for (auto n = d.count(storage_limits.list_items); n > 0 && d.ok(); --n)
    take(d, m.replacements.emplace_back());
  for (auto n = d.count(storage_limits.list_items); n > 0 && d.ok(); --n) {
    waiting_delivery each;
    each.id = waiting_id(d.varint());
    each.account = account_id(d.varint());
    each.now = d.time();
    m.deliver.push_back(each);
  }
}

void put(encoder& e, const expire_deliveries& m) {
  e.time(m.before);
}
void take(decoder& d, expire_deliveries& m) {
  m.before = d.time();
}

void put(encoder& e, const append_messages& m) {
  e.varint(m.messages.size());
  for (const auto& message : m.messages)
    put(e, message);
  e.varint(m.replaced_in.value).varint(m.replaced.value);
}
void take(decoder& d, append_messages& m) {
  for (auto n = d.count(storage_limits.list_items); n > 0 && d.ok(); --n)
    take(d, m.messages.emplace_back());
  m.replaced_in = mailbox_id(d.varint());
  m.replaced = uid(d.varint32());
}

template <std::size_t I = 0>
bool take_alternative(decoder& d, std::size_t index, mutation& m) {
  if constexpr (I < std::variant_size_v<mutation>) {
    if (index != I)
      return take_alternative<I + 1>(d, index, m);
    take(d, m.template emplace<I>());
    return true;
  } else {
    return false;
  }
}

} // namespace

std::string serialise(const mutation& m) {
  std::string out;
  encoder e(out);
  e.u8(format).u8(static_cast<std::uint8_t>(m.index()));
  std::visit([&](const auto& what) { put(e, what); }, m);
  return out;
}

result<mutation> deserialise(std::string_view bytes) {
  decoder d(bytes);
  mutation m;
  if (d.u8() != format || !take_alternative(d, d.u8(), m) || !d.done())
    return fail(errc::invalid, "these octets are not a mutation");
  return m;
}

} // namespace merpati::storage
