#include "protocols/imap/search_program.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/imap/search_tree.hpp"

namespace merpati::imap {
namespace {

using kind = search_key::kind;

search_verdict verdict(bool holds) {
  return holds ? search_verdict::yes : search_verdict::no;
}

bool looks_for_text(kind what) {
  switch (what) {
  case kind::from:
  case kind::to:
  case kind::cc:
  case kind::bcc:
  case kind::subject:
  case kind::header:
  case kind::body:
  case kind::text: return true;
  default: return false;
  }
}

/// An object id as we write them: a letter and the number.
std::uint64_t object_number(std::string_view text, char letter) {
  if (text.size() < 2 || text.front() != letter)
    return 0;
  return ascii::parse_number<std::uint64_t>(text.substr(1)).value_or(0);
}

search_verdict compare_day(std::int64_t day, std::int64_t wanted, kind before, kind on, kind what) {
  if (what == before)
    return verdict(day < wanted);
  return verdict(what == on ? day == wanted : day >= wanted);
}

std::int64_t day_number(timestamp t) {
  return std::chrono::floor<std::chrono::days>(t).time_since_epoch().count();
}

/// Of two verdicts that leave an AND (or an OR) open, the one that is settled first.
search_verdict sooner(search_verdict a, search_verdict b) {
  return a == search_verdict::needs_summary || b == search_verdict::needs_summary ? search_verdict::needs_summary
                                                                                  : search_verdict::needs_body;
}

bool is_open(search_verdict v) {
  return v != search_verdict::yes && v != search_verdict::no;
}

} // namespace

search_program::impl::node search_program::impl::compile(const search_key& key, const search_context& context,
                                                         std::optional<error>& failure) {
  node n;
  n.what = key.what;
  n.number = key.number;
  n.date = key.date;
  n.field = ascii::lower(key.field);
  n.text = key.text;
  n.set = key.set;
  switch (key.what) {
  case kind::sequence:
    if (!key.set.fits(messages) && !failure)
      failure = error{errc::invalid, "Sequence number beyond the last message"};
    break;
  case kind::uids:
    if (key.set.is_saved_result())
      n.set = context.saved_result;
    break;
  case kind::keyword:
  case kind::no_keyword: n.number = context.view->keyword_mask(key.text); break;
  case kind::email_id: n.number = object_number(key.text, 'M'); break;
  case kind::thread_id: n.number = object_number(key.text, 'T'); break;
  case kind::header: // the fields that the summary has under a key of their own
    if (!n.text.empty()) {
      constexpr std::pair<std::string_view, kind> known[] = {
          {"from", kind::from}, {"to", kind::to}, {"cc", kind::cc}, {"bcc", kind::bcc}, {"subject", kind::subject}};
      for (auto [name, as] : known)
        if (n.field == name)
          n.what = as;
    }
    break;
  default: break;
  }
  if (looks_for_text(n.what)) {
    n.leaf = matchers.size();
    matchers.emplace_back(n.text);
    wants_summary = true;
    wants_body = wants_body || n.what == kind::header || n.what == kind::body || n.what == kind::text;
  }
  wants_summary = wants_summary || n.what == kind::sent_before || n.what == kind::sent_on || n.what == kind::sent_since;
  for (const auto& child : key.children)
    n.children.push_back(compile(child, context, failure));
  return n;
}

void search_program::impl::collect_leaves(const node& n) {
  if (n.leaf != no_leaf)
    leaves[n.leaf] = &n;
  for (const auto& child : n.children)
    collect_leaves(child);
}

search_verdict search_program::impl::row_verdict(const node& n, const message_item& item,
                                                 std::uint32_t sequence) const {
  // Of keys with a number of seconds, which the parser takes up to 32 bits of.
  const auto age_limit = [&] { return now - std::chrono::seconds(n.number); };
  auto wanted_day = std::int64_t{n.date.time_since_epoch().count()};
  switch (n.what) {
  case kind::all: return search_verdict::yes;
  case kind::none: return search_verdict::no;
  case kind::sequence: return verdict(n.set.contains(sequence, messages));
  case kind::uids: return verdict(n.set.contains(item.id.value, last_uid));
  case kind::flag: return verdict((item.flags & n.number) != 0);
  case kind::no_flag: return verdict((item.flags & n.number) == 0);
  case kind::keyword: return verdict((item.keywords & n.number) != 0);
  case kind::no_keyword: return verdict((item.keywords & n.number) == 0);
  case kind::before:
  case kind::on:
  case kind::since: return compare_day(day_number(item.internal_date), wanted_day, kind::before, kind::on, n.what);
  case kind::saved_before:
  case kind::saved_on:
  case kind::saved_since:
    return compare_day(day_number(item.save_date), wanted_day, kind::saved_before, kind::saved_on, n.what);
  case kind::save_date_supported: return search_verdict::yes;
  case kind::older: return verdict(item.internal_date <= age_limit()); // RFC 5032 3
  case kind::younger: return verdict(item.internal_date >= age_limit());
  case kind::larger: return verdict(item.size_bytes > n.number);
  case kind::smaller: return verdict(item.size_bytes < n.number);
  case kind::modseq: return verdict(item.changed.value >= n.number);
  case kind::email_id: return verdict(n.number != 0 && item.email == n.number);
  case kind::thread_id: return verdict(n.number != 0 && item.thread == n.number);
  default: return search_verdict::no;
  }
}

search_verdict search_program::impl::sent_verdict(const node& n, const mime::summary_view* summary) const {
  if (summary == nullptr)
    return search_verdict::needs_summary;
  auto day = summary->sent_day();
  if (!day)
    return search_verdict::no;
  return compare_day(*day, std::int64_t{n.date.time_since_epoch().count()}, kind::sent_before, kind::sent_on, n.what);
}

/// What the summary's header values say; nothing where only the octets know.
std::optional<bool> search_program::impl::summary_text(const node& n, const mime::summary_view& summary) {
  auto& matcher = matchers[n.leaf];
  auto in_addresses = [&](mime::address_field f) { return matcher.contains(summary.addresses(f)); };
  switch (n.what) {
  case kind::from: return in_addresses(mime::address_field::from);
  case kind::to: return in_addresses(mime::address_field::to);
  case kind::cc: return in_addresses(mime::address_field::cc);
  case kind::bcc: return in_addresses(mime::address_field::bcc);
  case kind::subject: return matcher.contains(summary.subject());
  case kind::header:
    if (n.field == "message-id" && !summary.message_id().empty())
      if (matcher.contains("<" + std::string(summary.message_id()) + ">"))
        return true;
    return std::nullopt;
  case kind::text:
    if (matcher.contains(summary.subject()) || in_addresses(mime::address_field::from)
        || in_addresses(mime::address_field::to) || in_addresses(mime::address_field::cc))
      return true;
    return std::nullopt;
  default: return std::nullopt;
  }
}

search_verdict search_program::impl::text_verdict(const node& n, const subject& s) {
  if (s.summary == nullptr)
    return search_verdict::needs_summary;
  if (s.found != nullptr) {
    if ((*s.found)[n.leaf])
      return search_verdict::yes;
    return s.complete ? search_verdict::no : search_verdict::needs_body;
  }
  auto known = summary_text(n, *s.summary);
  return known ? verdict(*known) : search_verdict::needs_body;
}

search_verdict search_program::impl::evaluate(const node& n, const subject& s) {
  switch (n.what) {
  case kind::not_: {
    auto v = evaluate(n.children.front(), s);
    return is_open(v) ? v : verdict(v == search_verdict::no);
  }
  case kind::and_:
  case kind::or_: {
    // one child can decide alone: `no` an AND, `yes` an OR
    auto decisive = n.what == kind::and_ ? search_verdict::no : search_verdict::yes;
    auto so_far = n.what == kind::and_ ? search_verdict::yes : search_verdict::no;
    for (const auto& child : n.children) {
      auto v = evaluate(child, s);
      if (v == decisive)
        return v;
      if (is_open(v))
        so_far = is_open(so_far) ? sooner(so_far, v) : v;
    }
    return so_far;
  }
  case kind::sent_before:
  case kind::sent_on:
  case kind::sent_since: return sent_verdict(n, s.summary);
  default: return looks_for_text(n.what) ? text_verdict(n, s) : row_verdict(n, *s.item, s.sequence);
  }
}

search_program::search_program(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
search_program::search_program(search_program&&) noexcept = default;
search_program& search_program::operator=(search_program&&) noexcept = default;
search_program::~search_program() = default;

result<search_program> search_program::compile(const search_key& key, const search_context& context) {
  auto made = std::make_unique<impl>();
  made->now = context.now;
  made->messages = context.view->size();
  made->last_uid = context.view->last_uid().value;
  std::optional<error> failure;
  made->root = made->compile(key, context, failure);
  if (failure)
    return tl::unexpected(*std::move(failure));
  made->leaves.resize(made->matchers.size());
  made->collect_leaves(made->root);
  return search_program(std::move(made));
}

search_verdict search_program::evaluate(std::uint32_t sequence, const message_item& item,
                                        const mime::summary_view* summary) const {
  return impl_->evaluate(impl_->root, {.sequence = sequence, .item = &item, .summary = summary});
}

bool search_program::may_need_summary() const noexcept {
  return impl_->wants_summary;
}
bool search_program::may_need_body() const noexcept {
  return impl_->wants_body;
}

bool uses_modseq(const search_key& key) {
  return key.what == kind::modseq || std::any_of(key.children.begin(), key.children.end(), uses_modseq);
}

} // namespace merpati::imap
