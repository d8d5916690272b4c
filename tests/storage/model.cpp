#include "tests/storage/model.hpp"

#include "tests/storage/shard_fixture.hpp"

namespace merpati::storage::testing {

namespace {

const std::vector<std::string> mailbox_names{"INBOX", "Sent", "a", "a/b", "a/b/c", "d/e"};
const std::vector<std::string> keyword_names{"red", "green", "blue"};

std::set<std::string> names_of(const mailbox_row& box, std::uint64_t bits) {
  std::set<std::string> out;
  for (std::size_t i = 0; i < box.keywords.size(); ++i)
    if (bits >> i & 1)
      out.insert(box.keywords[i]);
  return out;
}

} // namespace

model::box* model::pick(std::mt19937_64& random) {
  if (boxes.empty())
    return nullptr;
  auto at = boxes.begin();
  std::advance(at, static_cast<long>(random() % boxes.size()));
  return &at->second;
}

mutation model::random_mutation(std::mt19937_64& random) {
  auto owner = owners[random() % owners.size()];
  auto* from = pick(random);
  auto id_of = [&](const box* b) {
    for (const auto& [id, candidate] : boxes)
      if (&candidate == b)
        return mailbox_id(id);
    return mailbox_id();
  };
  std::vector<uid> some;
  if (from)
    for (const auto& [which, m] : from->messages)
      if (random() % 3 == 0)
        some.emplace_back(which);
  switch (from ? random() % 12 : 0) {
  default: {
    auto text = std::to_string(++number_) + std::string(random() % 3000, 'b');
    auto m = message_to(owner, text, mailbox_names[random() % mailbox_names.size()]);
    m.fronts.push_back({"X: y\r\n", summary_of("X: y\r\n" + text)});
    m.targets[0].flags = static_cast<std::uint8_t>(random() % 32);
    if (random() % 4 == 0)
      m.targets[0].keywords = {keyword_names[random() % 3]};
    while (random() % 3 == 0) {
      auto t = m.targets[0];
      t.account = owners[random() % owners.size()];
      t.name = mailbox_names[random() % mailbox_names.size()];
      t.front = random() % 4 ? 0 : 1;
      m.targets.push_back(t);
    }
    return m;
  }
  case 1:
  case 2: {
    store_flags m;
    m.mailbox = id_of(from);
    m.uids = some;
    m.how = static_cast<store_flags::mode>(random() % 3);
    m.flags = static_cast<std::uint8_t>(random() % 32);
    if (random() % 2)
      m.keywords = {keyword_names[random() % 3]};
    if (random() % 4 == 0)
      m.unchanged_since = modseq(random() % (from->highest + 2));
    return m;
  }
  case 3:
  case 4: return expunge{id_of(from), some, random() % 2 == 0};
  case 5:
  case 6: return copy_messages{id_of(from), id_of(pick(random)), some, random() % 2 == 0, at(5)};
  case 7: return create_mailbox{owner, mailbox_names[random() % mailbox_names.size()], 0, 7, random() % 2 == 0};
  case 8: return delete_mailbox{id_of(from)};
  case 9: return rename_mailbox{id_of(from), "r" + std::to_string(random() % 5), 7};
  }
}

void model::carry_out(const mutation& m, const outcome& done) {
  if (const auto* add = std::get_if<add_message>(&m)) {
    for (std::size_t i = 0; i < done.places.size(); ++i) {
      const auto& p = done.places[i];
      auto& b = boxes[p.mailbox.value];
      b.owner = add->targets[i].account;
      REQUIRE(p.id.value >= b.uid_next); // never used again
      b.uid_next = p.id.value + 1;
      REQUIRE(p.changed.value >= b.highest);
      b.highest = p.changed.value;
      message text;
      text.text = add->fronts[add->targets[i].front].header + *std::get<0>(add->body);
      text.flags = add->targets[i].flags;
      text.keywords = {add->targets[i].keywords.begin(), add->targets[i].keywords.end()};
      text.changed = p.changed.value;
      b.messages[p.id.value] = std::move(text);
    }
  } else if (const auto* flags = std::get_if<store_flags>(&m)) {
    auto& b = boxes.at(flags->mailbox.value);
    REQUIRE((done.uids.empty() || done.changed.value > b.highest));
    b.highest = done.changed.value;
    for (auto which : done.uids) {
      auto& text = b.messages.at(which.value);
      std::set<std::string> names(flags->keywords.begin(), flags->keywords.end());
      if (flags->how == store_flags::mode::replace) {
        text.flags = flags->flags;
        text.keywords = names;
      } else if (flags->how == store_flags::mode::add) {
        text.flags |= flags->flags;
        text.keywords.insert(names.begin(), names.end());
      } else {
        text.flags &= static_cast<std::uint8_t>(~flags->flags);
        for (const auto& name : names)
          text.keywords.erase(name);
      }
      text.changed = done.changed.value;
    }
  } else if (const auto* gone = std::get_if<expunge>(&m)) {
    auto& b = boxes.at(gone->mailbox.value);
    b.highest = done.changed.value;
    for (auto which : done.uids) {
      REQUIRE(b.messages.erase(which.value) == 1);
      b.expunged.insert(which.value);
    }
  } else if (const auto* copy = std::get_if<copy_messages>(&m)) {
    auto& from = boxes.at(copy->from.value);
    auto& to = boxes.at(copy->to.value);
    for (std::size_t i = 0; i < done.uids.size(); ++i) {
      auto text = from.messages.at(done.uids[i].value);
      text.changed = done.changed.value;
      REQUIRE(done.new_uids[i].value >= to.uid_next);
      to.uid_next = done.new_uids[i].value + 1;
      to.messages[done.new_uids[i].value] = text;
      if (copy->remove_source) {
        from.messages.erase(done.uids[i].value);
        from.expunged.insert(done.uids[i].value);
      }
    }
  } else if (const auto* gone_box = std::get_if<delete_mailbox>(&m)) {
    boxes.erase(gone_box->mailbox.value);
  }
  if (const auto* renamed = std::get_if<rename_mailbox>(&m); renamed && done.mailbox != renamed->mailbox) {
    auto& inbox = boxes.at(renamed->mailbox.value); // RFC 9051 6.3.6: INBOX stays, its messages move
    auto& target = boxes[done.mailbox.value];
    for (auto& [which, text] : inbox.messages) {
      text.changed = 2; // the first MODSEQ that a new mailbox gives
      target.messages[target.uid_next++] = text;
      inbox.expunged.insert(which);
    }
    inbox.messages.clear();
  }
}

void model::refresh(const shard& s, const std::vector<mailbox_id>& touched) {
  auto view = s.read();
  REQUIRE(view.has_value());
  for (auto id : touched) {
    auto row = view->mailbox(id);
    if (!row) {
      REQUIRE_FALSE(boxes.contains(id.value));
      continue;
    }
    auto& b = boxes[id.value];
    b.owner = row->account;
    b.name = row->name;
    if (b.uid_validity == 0) {
      REQUIRE(validities.insert(row->uid_validity).second); // never used before
      b.uid_validity = row->uid_validity;
    }
    REQUIRE(row->highest_modseq.value >= b.highest);
    b.highest = row->highest_modseq.value;
  }
}

bool model::apply(shard& s, const std::vector<mutation>& batch) {
  auto answers = s.apply(batch);
  REQUIRE(answers.size() == batch.size());
  std::vector<mailbox_id> touched;
  bool all = true;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!answers[i]) {
      auto code = answers[i].error().code;
      bool temporary = code == errc::disk_full || code == errc::unavailable;
      all = all && !temporary;
      INFO(answers[i].error().what);
      REQUIRE((temporary || code == errc::already_exists || code == errc::not_permitted || code == errc::not_found
               || code == errc::invalid));
      continue;
    }
    carry_out(batch[i], *answers[i]);
    touched.insert(touched.end(), answers[i]->touched.begin(), answers[i]->touched.end());
  }
  refresh(s, touched);
  return all;
}

void model::compare(const shard& s) const {
  auto view = s.read();
  REQUIRE(view.has_value());
  std::size_t found = 0;
  for (auto owner : owners) {
    quota_usage used;
    for (const auto& row : view->mailboxes(owner)) {
      ++found;
      INFO("mailbox " << row.id.value << " " << row.name);
      REQUIRE(boxes.contains(row.id.value));
      const auto& b = boxes.at(row.id.value);
      REQUIRE(row.name == b.name);
      REQUIRE(row.uid_validity == b.uid_validity);
      REQUIRE(row.messages == b.messages.size());
      REQUIRE(row.uid_next.value >= b.uid_next);
      REQUIRE(row.highest_modseq.value >= b.highest);
      std::uint32_t unseen = 0;
      std::uint32_t deleted = 0;
      std::uint64_t octets = 0;
      auto expected = b.messages.begin();
      view->messages(row.id, uid(1), uid(UINT32_MAX), [&](const message_row& m) {
        REQUIRE(expected != b.messages.end());
        REQUIRE(m.id.value == expected->first);
        REQUIRE(m.flags == expected->second.flags);
        REQUIRE(names_of(row, m.keywords) == expected->second.keywords);
        REQUIRE(m.changed.value == expected->second.changed);
        REQUIRE(m.size_bytes == expected->second.text.size());
        REQUIRE(octets_of(s, *view->body(m.body)) == expected->second.text);
        unseen += (m.flags & flag_seen) ? 0 : 1;
        deleted += (m.flags & flag_deleted) ? 1 : 0;
        octets += m.size_bytes;
        ++expected;
        return true;
      });
      REQUIRE(expected == b.messages.end());
      REQUIRE(row.unseen == unseen);
      REQUIRE(row.deleted == deleted);
      REQUIRE(row.size_bytes == octets);
      used.bytes += octets;
      used.messages += row.messages;
      std::set<std::uint32_t> expunged;
      for (auto which : view->changes_since(row.id, modseq(0)).expunged)
        expunged.insert(which.value);
      REQUIRE(expunged == b.expunged);
    }
    REQUIRE(view->usage(owner) == used);
  }
  REQUIRE(found == boxes.size());
}

} // namespace merpati::storage::testing
