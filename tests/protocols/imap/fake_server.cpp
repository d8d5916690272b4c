#include "tests/protocols/imap/fake_server.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/imap/mailbox_name.hpp"
#include "protocols/mime/decoder.hpp"
#include "protocols/mime/summary.hpp"
#include "tests/support/scram_user.hpp"

namespace merpati::test {

using namespace imap;

namespace {

std::string text_of(const std::string& body, std::uint64_t offset, std::uint64_t length) {
  return body.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

/// The octets of the response to FETCH for pieces of one message.
std::string octets_of(const std::vector<fetch_piece>& pieces, const std::string& body) {
  std::string out;
  for (const auto& piece : pieces) {
    if (auto text = std::get_if<text_piece>(&piece)) {
      out += text->octets;
    } else if (auto range = std::get_if<body_piece>(&piece)) {
      out += text_of(body, range->offset, range->length);
    } else if (auto header = std::get_if<header_piece>(&piece)) {
      write_header_fields(*header, text_of(body, header->offset, header->length), out);
    } else if (auto binary = std::get_if<binary_piece>(&piece)) {
      mime::body_decoder decoder(binary->encoding);
      std::string decoded;
      decoder.feed(text_of(body, binary->offset, binary->length), decoded);
      decoder.finish(decoded);
      write_binary(*binary, decoded, out);
    }
  }
  return out;
}

} // namespace

fake_world::fake_world() {
  using namespace std::chrono;
  now = timestamp(sys_days(2026y / January / 15) + 12h);
  create("INBOX");
}

fake_mailbox* fake_world::find(const std::string& name) {
  auto at = boxes.find(name);
  return at == boxes.end() ? nullptr : &at->second;
}

fake_mailbox& fake_world::create(const std::string& name) {
  mailbox_state state;
  state.id = mailbox_id(next_mailbox_++);
  state.uid_validity = static_cast<std::uint32_t>(1000 + state.id.value);
  auto& box = boxes[name];
  box.current = mailbox_snapshot::make(state, {});
  return box;
}

mailbox_state fake_world::next_state(const fake_mailbox& box) const {
  auto state = box.current->state();
  state.highest_modseq.value++;
  return state;
}

std::uint64_t fake_world::keywords(fake_mailbox& box, const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const auto& name : names) {
    if (box.current->keyword_mask(name) == 0) {
      auto state = box.current->state();
      auto all = *state.keywords;
      all.push_back(name);
      state.keywords = std::make_shared<const std::vector<std::string>>(all);
      box.current = box.current->with_changed({}, state);
    }
    bits |= box.current->keyword_mask(name);
  }
  return bits;
}

std::uint32_t fake_world::append(fake_mailbox& box, std::string body, const flag_list& flags, timestamp date) {
  message_item item;
  item.keywords = keywords(box, flags.keywords);
  auto state = next_state(box);
  item.id = state.uid_next;
  item.flags = flags.system;
  item.changed = state.highest_modseq;
  item.body = body_id(next_body_++);
  item.size_bytes = body.size();
  item.internal_date = date;
  item.save_date = now;
  item.email = item.body.value;
  box.bodies[item.body.value] = std::move(body);
  state.uid_next.value++;
  box.current = box.current->with_appended({&item, 1}, state);
  return item.id.value;
}

void fake_world::change(fake_mailbox& box, std::vector<message_item> items) {
  auto state = next_state(box);
  for (auto& item : items)
    item.changed = state.highest_modseq;
  box.current = box.current->with_changed(items, state);
}

void fake_world::remove(fake_mailbox& box, const std::vector<uid>& ids) {
  box.current = box.current->with_removed(ids, next_state(box));
}

fake_session::fake_session(std::shared_ptr<fake_world> world, engine_options options)
    : world_(std::move(world)), engine_(std::move(options)) {}

std::string fake_session::start() {
  engine_.start();
  return drain();
}

std::string fake_session::feed(std::string_view octets) {
  engine_.feed(octets);
  return drain();
}

std::string fake_session::poll() {
  if (view_)
    tell_changes(true, false);
  return engine_.take_output();
}

std::string fake_session::drain() {
  std::string said;
  for (;;) {
    auto s = engine_.next();
    said += engine_.take_output();
    if (std::holds_alternative<steps::need_input>(s))
      return said;
    if (std::holds_alternative<steps::close>(s)) {
      closed_ = true;
      return said;
    }
    handle(s);
    said += engine_.take_output();
  }
}

void fake_session::handle(step& s) {
  if (auto execute = std::get_if<steps::execute>(&s)) {
    auto answer = std::visit([&](const auto& c) { return run(c); }, execute->what.body);
    bool uid = std::visit(
        [](const auto& c) {
          if constexpr (requires { c.uid; })
            return c.uid;
          else
            return false;
        },
        execute->what.body);
    if (view_)
      tell_changes(may_expunge(execute->what.body), uid);
    engine_.finish(answer);
  } else if (auto login = std::get_if<steps::log_in>(&s)) {
    log_in(*login);
  } else if (auto wanted = std::get_if<steps::scram_lookup>(&s)) {
    events_.push_back("keys of " + wanted->user);
    if (wanted->user == "down")
      engine_.login_failed(error{errc::unavailable, "the directory is down"});
    else
      engine_.scram_keys(keys_of(wanted->user));
  } else if (auto proof = std::get_if<steps::scram_proven>(&s)) {
    events_.push_back("proven " + proof->user);
    engine_.login_succeeded();
  } else if (auto begin = std::get_if<steps::append_begin>(&s)) {
    appending_ = {};
    appending_.push_back({begin->what, {}});
    if (world_->find(begin->what.mailbox) == nullptr)
      return engine_.refuse_append(reply_for_target(error{errc::not_found, {}}));
    engine_.accept_append();
  } else if (auto next = std::get_if<steps::append_next>(&s)) {
    appending_.push_back({next->what, {}});
    engine_.accept_append();
  } else if (auto data = std::get_if<steps::append_data>(&s)) {
    auto& message = appending_.back().octets;
    message += data->octets;
    if (message.find("REFUSE ME") != std::string::npos)
      engine_.refuse_append(reply_for(error{errc::disk_full, "no space"}));
  } else if (std::holds_alternative<steps::append_end>(s)) {
    auto& box = *world_->find(appending_.front().what.mailbox);
    sequence_set ids;
    for (const auto& [what, octets] : appending_)
      ids.add(world_->append(box, octets, what.flags, what.internal_date.value_or(world_->now)));
    if (view_)
      tell_changes(true, false);
    engine_.finish(ok_code(append_uid_code(box.current->state().uid_validity, ids)));
  } else if (std::holds_alternative<steps::append_cancelled>(s)) {
    events_.push_back("append cancelled");
  } else if (std::holds_alternative<steps::start_compression>(s)) {
    engine_.compression_started();
  } else if (std::holds_alternative<steps::start_tls>(s)) {
    events_.push_back("handshake");
    engine_.tls_started();
  } else if (std::holds_alternative<steps::idle_end>(s)) {
    if (view_)
      tell_changes(true, false);
    engine_.finish(ok());
  }
}

void fake_session::log_in(const steps::log_in& s) {
  events_.push_back("login " + s.user + "/" + s.password + (s.authorization.empty() ? "" : " as " + s.authorization));
  if (s.user == "broken")
    engine_.login_failed(error{errc::unavailable, "the directory is down"});
  else if (s.user != "alice" || s.password != "secret")
    engine_.login_failed(error{errc::auth_failed, "wrong password"});
  else
    engine_.login_succeeded();
}

void fake_session::tell_changes(bool expunge_allowed, bool uid) {
  if (world_->find(selected_) == nullptr)
    return;
  view_ = write_changes(view_, selected().current,
                        {.expunge_allowed = expunge_allowed,
                         .with_uid = uid,
                         .with_modseq = engine_.enabled().condstore,
                         .read_only = read_only_},
                        engine_.output());
}

std::vector<std::uint32_t> fake_session::named(const sequence_set& set, bool by_uid) {
  std::vector<std::uint32_t> sequences;
  const auto& wanted = set.is_saved_result() ? saved_ : set;
  by_uid = by_uid || set.is_saved_result();
  for (auto range : wanted.resolve(by_uid ? view_->last_uid().value : view_->size())) {
    auto first = by_uid ? view_->lower_bound(uid(range.first)) : range.first;
    auto last = range.last;
    if (by_uid) {
      auto after = view_->lower_bound(uid(range.last));
      last = after <= view_->size() && view_->at(after).id.value == range.last ? after : after - 1;
    }
    view_->for_range(first, last, [&](std::uint32_t n, const message_item&) { sequences.push_back(n); });
  }
  return sequences;
}

reply fake_session::run(const commands::select& c) {
  view_.reset();
  selected_.clear();
  auto* box = world_->find(c.mailbox);
  if (box == nullptr)
    return no("NONEXISTENT", "No such mailbox");
  selected_ = c.mailbox;
  read_only_ = c.read_only;
  view_ = box->current;
  const auto& on = engine_.enabled();
  write_select_responses(*view_, c.mailbox, c.read_only, on.imap4rev2, on.utf8(), on.condstore, engine_.output());
  return ok_code(c.read_only ? "READ-ONLY" : "READ-WRITE");
}

reply fake_session::run(const commands::create& c) {
  if (auto fine = check_new_mailbox_name(c.mailbox, limits{}); !fine)
    return reply_for(fine.error());
  if (world_->find(c.mailbox) != nullptr)
    return no("ALREADYEXISTS", "Mailbox exists");
  world_->create(c.mailbox).special_use = c.special_use;
  return ok();
}

reply fake_session::run(const commands::delete_mailbox& c) {
  return world_->boxes.erase(c.mailbox) == 1 ? ok() : no("NONEXISTENT", "No such mailbox");
}

reply fake_session::run(const commands::rename& c) {
  auto* box = world_->find(c.from);
  if (box == nullptr)
    return no("NONEXISTENT", "No such mailbox");
  auto moved = *box;
  world_->boxes.erase(c.from);
  world_->boxes[c.to] = moved;
  return ok();
}

reply fake_session::run(const commands::subscribe& c) {
  if (auto* box = world_->find(c.mailbox))
    box->subscribed = true;
  else
    world_->only_subscribed[c.mailbox] = true;
  return ok();
}

reply fake_session::run(const commands::unsubscribe& c) {
  if (auto* box = world_->find(c.mailbox))
    box->subscribed = false;
  world_->only_subscribed.erase(c.mailbox);
  return ok();
}

std::vector<listed_mailbox> fake_session::listed() const {
  std::vector<listed_mailbox> all;
  for (const auto& [name, box] : world_->boxes)
    all.push_back({name, true, box.subscribed, box.special_use});
  for (const auto& [name, yes] : world_->only_subscribed)
    all.push_back({name, false, yes, 0});
  return all;
}

void fake_session::write_status_of(const std::string& name, std::uint32_t items) {
  const auto& box = *world_->find(name)->current;
  status_values values;
  values.messages = box.size();
  values.uid_next = box.state().uid_next.value;
  values.uid_validity = box.state().uid_validity;
  values.highest_modseq = box.state().highest_modseq.value;
  values.mailbox_id = box.state().id.value;
  box.for_range(1, box.size(), [&](std::uint32_t, const message_item& item) {
    values.unseen += (item.flags & flag::seen) == 0 ? 1 : 0;
    values.deleted += (item.flags & flag::deleted) != 0 ? 1 : 0;
    values.size_bytes += item.size_bytes;
  });
  write_status(name, items, values, engine_.enabled().utf8(), engine_.output());
}

reply fake_session::run(const commands::list& c) {
  if (c.patterns.size() == 1 && c.patterns.front().empty()) {
    write_list_delimiter(false, engine_.output());
    return ok();
  }
  for (const auto& entry : select_list(c, listed())) {
    write_list(entry, style_of(c, engine_.enabled().utf8()), engine_.output());
    if ((c.returns & list_return::status) != 0 && entry.exists)
      write_status_of(entry.name, c.status_items);
  }
  return ok();
}

reply fake_session::run(const commands::lsub& c) {
  for (const auto& entry : select_lsub(c, listed()))
    write_list(entry, {.lsub = true, .utf8 = engine_.enabled().utf8()}, engine_.output());
  return ok();
}

reply fake_session::run(const commands::status& c) {
  if (world_->find(c.mailbox) == nullptr)
    return no("NONEXISTENT", "No such mailbox");
  write_status_of(c.mailbox, c.items);
  return ok();
}

reply fake_session::run(const commands::close&) {
  if (!read_only_)
    run(commands::expunge{});
  view_.reset();
  return ok();
}

reply fake_session::run(const commands::unselect&) {
  view_.reset();
  return ok();
}

reply fake_session::run(const commands::expunge& c) {
  std::vector<uid> ids;
  auto& box = selected();
  box.current->for_range(1, box.current->size(), [&](std::uint32_t, const message_item& item) {
    if ((item.flags & flag::deleted) != 0
        && (!c.uids || c.uids->contains(item.id.value, box.current->last_uid().value)))
      ids.push_back(item.id);
  });
  if (!ids.empty())
    world_->remove(box, ids);
  return ok();
}

bool fake_session::matches(const search_program& program, std::uint32_t sequence, const message_item& item) {
  auto verdict = program.evaluate(sequence, item, nullptr);
  if (verdict == search_verdict::yes || verdict == search_verdict::no)
    return verdict == search_verdict::yes;
  const auto& body = selected().bodies[item.body.value];
  auto octets = mime::summarise(body);
  auto summary = mime::summary_view::open(octets);
  if (!summary)
    return false;
  verdict = program.evaluate(sequence, item, &*summary);
  if (verdict != search_verdict::needs_body)
    return verdict == search_verdict::yes;
  body_search search(program, sequence, item, *summary);
  for (std::size_t at = 0; at < body.size(); at += 7)
    if (!search.feed(std::string_view(body).substr(at, 7)))
      break;
  return search.finish();
}

reply fake_session::run(const commands::search& c) {
  auto program = search_program::compile(c.key, {view_, world_->now, saved_});
  if (!program)
    return bad(program.error().what);
  search_result found;
  sequence_set uids;
  view_->for_range(1, view_->size(), [&](std::uint32_t n, const message_item& item) {
    if (!matches(*program, n, item))
      return;
    found.numbers.add(c.uid ? item.id.value : n);
    uids.add(item.id.value);
    found.highest_modseq = std::max(found.highest_modseq, item.changed.value);
  });
  if ((c.returns & search_return::save) != 0)
    saved_ = saved_result(c, uids);
  write_search_result(engine_.tag(), c, found, engine_.output());
  return ok();
}

reply fake_session::run(const commands::fetch& c) {
  if (!c.uid && !c.set.is_saved_result() && !c.set.fits(view_->size()))
    return bad("Sequence number beyond the last message");
  fetch_plan plan(c.items, c.uid, read_only_);
  for (auto n : named(c.set, c.uid)) {
    auto item = view_->at(n);
    if (c.changed_since && item.changed.value <= *c.changed_since)
      continue;
    bool seen_now = plan.sets_seen(item);
    if (seen_now) {
      item.flags |= flag::seen;
      world_->change(selected(), {item});
      item = selected().current->at(*selected().current->find(item.id));
      view_ = view_->with_changed({&item, 1}, view_->state());
    }
    auto& out = engine_.output();
    if (!plan.needs_summary() && !plan.needs_body()) {
      plan.render_row(n, item, view_->keywords(), out, seen_now);
      continue;
    }
    const auto& body = selected().bodies[item.body.value];
    auto octets = mime::summarise(body);
    auto summary = mime::summary_view::open(octets);
    if (!plan.needs_body()) {
      if (!plan.render_summary(n, item, view_->keywords(), &*summary, out))
        return no("SERVERBUG", "No summary");
      continue;
    }
    std::vector<fetch_piece> pieces;
    if (auto done = plan.render(n, item, view_->keywords(), &*summary, pieces, seen_now); !done)
      return no("UNKNOWN-CTE", done.error().what);
    out += octets_of(pieces, body);
  }
  return ok();
}

reply fake_session::run(const commands::store& c) {
  if (!c.uid && !c.set.is_saved_result() && !c.set.fits(view_->size()))
    return bad("Sequence number beyond the last message");
  if (read_only_)
    return no("NOPERM", "Mailbox is read-only");
  auto& box = selected();
  auto bits = world_->keywords(box, c.flags.keywords);
  std::vector<message_item> changed;
  sequence_set modified;
  for (auto n : named(c.set, c.uid)) {
    auto at = box.current->find(view_->at(n).id);
    if (!at)
      continue;
    auto item = box.current->at(*at);
    if (c.unchanged_since && item.changed.value > *c.unchanged_since) {
      modified.add(c.uid ? item.id.value : n);
      continue;
    }
    switch (c.how) {
    case commands::store::mode::replace:
      item.flags = c.flags.system;
      item.keywords = bits;
      break;
    case commands::store::mode::add:
      item.flags |= c.flags.system;
      item.keywords |= bits;
      break;
    case commands::store::mode::remove:
      item.flags = static_cast<std::uint8_t>(item.flags & ~c.flags.system);
      item.keywords &= ~bits;
      break;
    }
    changed.push_back(item);
  }
  world_->change(box, changed);
  if (c.silent) { // the client knows what it did itself
    for (auto& item : changed)
      item = box.current->at(*box.current->find(item.id));
    view_ = view_->with_changed(changed, view_->state());
  }
  if (modified.empty())
    return ok();
  std::string code = "MODIFIED ";
  modified.write(code);
  return ok_code(code);
}

reply fake_session::copy_messages(const sequence_set& set, bool by_uid, const std::string& to, bool move) {
  if (!by_uid && !set.is_saved_result() && !set.fits(view_->size()))
    return bad("Sequence number beyond the last message");
  auto* target = world_->find(to);
  if (target == nullptr)
    return reply_for_target(error{errc::not_found, {}});
  std::vector<std::uint32_t> from, into;
  std::vector<uid> ids;
  for (auto n : named(set, by_uid)) {
    const auto& item = view_->at(n);
    flag_list flags;
    flags.system = item.flags;
    for (std::size_t bit = 0; bit < view_->keywords().size(); ++bit)
      if ((item.keywords >> bit & 1U) != 0)
        flags.keywords.push_back(view_->keywords()[bit]);
    from.push_back(item.id.value);
    ids.push_back(item.id);
    into.push_back(world_->append(*target, selected().bodies[item.body.value], flags, item.internal_date));
  }
  auto code = copy_uid_code(target->current->state().uid_validity, from, into);
  if (!move)
    return ok_code(code);
  write_untagged(ok_code(code, "Moved"), engine_.output()); // RFC 6851 4.3: before the EXPUNGE
  if (!ids.empty())
    world_->remove(selected(), ids);
  return ok();
}

reply fake_session::run(const commands::copy& c) {
  return copy_messages(c.set, c.uid, c.mailbox, false);
}
reply fake_session::run(const commands::move& c) {
  return copy_messages(c.set, c.uid, c.mailbox, true);
}

} // namespace merpati::test
