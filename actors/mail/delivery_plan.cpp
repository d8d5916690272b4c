#include "actors/mail/delivery_plan.hpp"

#include <algorithm>
#include <utility>

#include "actors/mail/directory.hpp"
#include "base/ascii.hpp"
#include "base/crypto.hpp"
#include "protocols/smtp/srs.hpp"
#include "protocols/smtp/trace_writer.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::mail {

namespace {

std::string delivered_to(const std::string& address) {
  return "Delivered-To: " + address + "\r\n";
}

// RFC 2919 3: a name below the list's domain, of letters that a List-Id may have.
std::string list_id(const std::string& address) {
  auto list = parse_canonical(address);
  for (char& c : list.local_part)
    if (!ascii::is_alnum(c) && c != '-' && c != '_' && c != '.')
      c = '_';
  return list.local_part + '.' + list.domain;
}

std::string phrase(const std::string& title) {
  if (!text::is_ascii(title))
    return "=?UTF-8?B?" + crypto::base64_encode(title) + "?=";
  std::string out = "\"";
  for (char c : title) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + '"';
}

std::string mailto(const smtp::mailbox& address) {
  std::string out = "<mailto:";
  for (char c : smtp::write_mailbox(address)) { // RFC 6068 2
    constexpr std::string_view digits = "0123456789ABCDEF";
    if (ascii::is_alnum(c) || std::string_view("-._~@+!$'*=").find(c) != std::string_view::npos)
      out += c;
    else
      (out += '%').append({digits[static_cast<unsigned char>(c) >> 4u], digits[static_cast<unsigned char>(c) & 15u]});
  }
  return out + '>';
}

} // namespace

std::string list_fields(const std::string& address, const list_settings& list) {
  auto box = parse_canonical(address);
  std::string out = delivered_to(address);
  out += "List-Id: " + (list.title.empty() ? "" : phrase(list.title) + ' ') + '<' + list_id(address) + ">\r\n";
  out += "List-Post: " + (list.posting == posting_rule::owners ? "NO" : mailto(box)) + "\r\n";
  box.local_part += "-owner";
  out += "List-Owner: " + mailto(box) + "\r\n";
  return out + "Precedence: list\r\n";
}

std::string describe(const std::vector<dead_end>& dead_ends) {
  constexpr std::size_t named = 10; // more would be a line that nobody reads to its end
  std::string out;
  for (std::size_t i = 0; i != std::min(named, dead_ends.size()); ++i)
    out += (i == 0 ? "" : ", ") + dead_ends[i].address + " of " + dead_ends[i].behind;
  if (dead_ends.size() > named)
    out += " and " + std::to_string(dead_ends.size() - named) + " more";
  return out;
}

delivery_plan::delivery_plan(const routing_rules& rules, sender_facts sender, timestamp now, step_recorder* recorder)
    : rules_(rules), sender_(std::move(sender)), now_(now), recorder_(recorder) {}

result<delivery_plan::candidate> delivery_plan::look_at(const storage::read_view& view,
                                                        smtp::recipient recipient) const {
  auto where = find_route(view, rules_, recipient.address, now_, recorder_);
  if (!where)
    return tl::make_unexpected(where.error());
  const auto what = may_enter(view, *where);
  return candidate{what, std::move(recipient), std::move(*where)};
}

result<delivery_plan::admitted> delivery_plan::add(const storage::read_view& view, smtp::recipient recipient) {
  auto found = look_at(view, std::move(recipient));
  if (!found)
    return tl::make_unexpected(found.error());
  return add(view, std::move(*found));
}

result<delivery_plan::admitted> delivery_plan::add(const storage::read_view& view, candidate found) {
  if (found.what != admission::taken)
    return admitted{found.what, std::nullopt};
  const auto* account = std::get_if<to_account>(&found.where);
  const bool is_mailbox = account && account->forwards.empty();
  const auto id = is_mailbox ? account->account : account_id();
  way start;
  start.sender = sender_.sender;
  start.parameters = std::move(found.recipient.parameters);
  auto came_to = follow(view, std::move(found.where), start);
  if (!came_to)
    return tl::make_unexpected(came_to.error());
  if (!(*came_to & (reached | reached_before)))
    return admitted{*came_to & went_in_circles ? admission::loop : admission::unknown_recipient, std::nullopt};
  admitted out;
  if (is_mailbox) {
    const auto at = std::find_if(local_.begin(), local_.end(), [&](const auto& each) { return each.account == id; });
    if (at != local_.end())
      out.local = static_cast<std::size_t>(at - local_.begin());
  }
  return out;
}

admission delivery_plan::may_enter(const storage::read_view& view, const route& where) const {
  if (std::holds_alternative<unknown_recipient>(where))
    return admission::unknown_recipient;
  if (const auto* remote = std::get_if<to_remote>(&where))
    return sender_.account.empty() && !remote->is_returning ? admission::relay_denied : admission::taken;
  if (const auto* account = std::get_if<to_account>(&where))
    return account->keep_copy && is_full(view, *account) ? admission::over_quota : admission::taken;
  if (const auto* list = std::get_if<to_list>(&where))
    return may_post(list->list) ? admission::taken : admission::may_not_post;
  return admission::taken;
}

// Reports and automatic answers (null sender) are for whoever is responsible, never for all members (RFC 3834 4).
bool delivery_plan::may_post(const list_settings& list) const {
  if (!sender_.sender)
    return false;
  if (list.posting == posting_rule::anyone)
    return true;
  auto sender = smtp::canonical_address(*sender_.sender);
  auto is_one = [&](const std::vector<std::string>& addresses) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const std::string& each) {
      return (sender && each == *sender) || (!sender_.account.empty() && each == sender_.account);
    });
  };
  return is_one(list.owners) || (list.posting == posting_rule::members && is_one(list.members));
}

bool delivery_plan::is_full(const storage::read_view& view, const to_account& account) const {
  if (account.quota_bytes == 0 && account.quota_messages == 0)
    return false;
  const auto used = view.usage(account.account);
  return (account.quota_bytes != 0 && used.bytes + sender_.declared_bytes > account.quota_bytes)
         || (account.quota_messages != 0 && used.messages + 1 > account.quota_messages);
}

result<delivery_plan::outcomes> delivery_plan::follow(const storage::read_view& view, route where, const way& so_far) {
  if (auto* account = std::get_if<to_account>(&where))
    return account->forwards.empty() ? deliver(view, *account, so_far) : pass(view, *account, so_far);
  if (const auto* list = std::get_if<to_list>(&where))
    return expand(view, *list, so_far);
  if (const auto* remote = std::get_if<to_remote>(&where))
    return relay(remote->address, so_far);
  const auto* alias = std::get_if<to_alias>(&where);
  if (!alias)
    return outcomes{is_dead_end};
  way next = so_far;
  next.forwarder = alias->address;
  return follow_once(view, alias->address, alias->targets, next);
}

// What was followed before leads nowhere new; what is being followed leads in circles.
result<delivery_plan::outcomes> delivery_plan::follow_once(const storage::read_view& view, const std::string& address,
                                                           const std::vector<std::string>& targets, const way& next) {
  const auto [at, is_new] = followed_.try_emplace(address, went_in_circles);
  if (!is_new)
    return at->second;
  if (next.depth == alias_depth_limit)
    return outcomes{went_in_circles};
  auto came_to = follow_all(view, address, targets, next);
  if (came_to)
    at->second = *came_to & (reached | reached_before) ? outcomes{reached_before} : *came_to;
  return came_to;
}

result<delivery_plan::outcomes> delivery_plan::follow_all(const storage::read_view& view, const std::string& address,
                                                          const std::vector<std::string>& targets, const way& next) {
  outcomes all = 0;
  way deeper = next;
  ++deeper.depth;
  for (const auto& target : targets) {
    auto where = find_route(view, rules_, parse_canonical(target), now_, nullptr);
    if (!where)
      return tl::make_unexpected(where.error());
    auto came_to = follow(view, std::move(*where), deeper);
    if (!came_to)
      return came_to;
    if (*came_to & is_dead_end) {
      note(recorder_, target, " does not exist any more");
      dead_ends_.push_back({target, address});
    }
    all = static_cast<outcomes>(all | (*came_to & ~is_dead_end));
  }
  return all;
}

// An account that forwards. Where that leads nowhere (to itself, or to what does not exist), mail stays with it.
result<delivery_plan::outcomes> delivery_plan::pass(const storage::read_view& view, const to_account& account,
                                                    const way& so_far) {
  way next = so_far;
  next.forwarder = account.address;
  next.fields = delivered_to(account.address) + so_far.fields;
  passed_on_.insert(account.address);
  auto came_to = follow_once(view, account.address, account.forwards, next);
  if (came_to && (account.keep_copy || !(*came_to & (reached | reached_before))))
    return static_cast<outcomes>(*came_to | deliver(view, account, so_far));
  return came_to;
}

result<delivery_plan::outcomes> delivery_plan::expand(const storage::read_view& view, const to_list& list,
                                                      const way& so_far) {
  way next;
  next.sender = bounce_address(list.address);
  next.fields = list_fields(list.address, list.list);
  next.from_list = true;
  next.depth = so_far.depth;
  passed_on_.insert(list.address);
  return follow_once(view, list.address, list.list.members, next);
}

delivery_plan::outcomes delivery_plan::deliver(const storage::read_view& view, const to_account& account,
                                               const way& so_far) {
  if (!accounts_.insert(account.account.value).second)
    return reached_before;
  const auto front = front_of(smtp::write_return_path(so_far.sender) + so_far.fields);
  if (so_far.from_list && is_full(view, account)) {
    note(recorder_, "  ", account.address, ": full now, gets its copy later");
    deferred_.push_back({account.address, front});
  } else {
    note(recorder_, "  into the mailbox of ", account.address);
    local_.push_back({account.account, account.shard, account.address, front, so_far.parameters});
  }
  return reached;
}

delivery_plan::outcomes delivery_plan::relay(const smtp::mailbox& address, const way& so_far) {
  const auto sender = rewritten(so_far);
  auto key = smtp::canonical_address(address);
  if (!key)
    return is_dead_end;
  if (!remotes_.insert(*key).second)
    return reached_before;
  auto fields = so_far.fields;
  if (!so_far.forwarder.empty()) { // what leaves through it and comes back is a loop
    passed_on_.insert(so_far.forwarder);
    const auto field = delivered_to(so_far.forwarder);
    if (fields.find(field) == std::string::npos)
      fields.insert(0, field);
  }
  if (recorder_)
    note(recorder_, "  to the waiting list: ", smtp::write_path(address), ", from ", smtp::write_path(sender));
  remote_.push_back({address, sender, front_of(std::move(fields)), so_far.parameters});
  return reached;
}

// Forwarded mail leaves with a sender that we may send from, so that it passes SPF where it arrives.
smtp::reverse_path delivery_plan::rewritten(const way& so_far) const {
  if (!so_far.sender || so_far.forwarder.empty() || so_far.from_list || rules_.srs_secrets.empty()
      || !sender_.account.empty())
    return so_far.sender;
  auto made = smtp::srs_forward(*so_far.sender, domain_of(so_far.forwarder), rules_.srs_secrets.front(), now_);
  // Too long to be rewritten: bounces go to whoever passes it on.
  return made ? std::move(*made) : parse_canonical(so_far.forwarder);
}

std::size_t delivery_plan::front_of(std::string header) {
  return fronts_.try_emplace(std::move(header), fronts_.size()).first->second;
}

std::vector<std::string> delivery_plan::fronts() const {
  std::vector<std::string> out(fronts_.size());
  for (const auto& [header, number] : fronts_)
    out[number] = header;
  // Each address in a field of its own would make each copy a body of its own; one recipient is told its name.
  if (local_.size() == 1 && deferred_.empty()) {
    auto& header = out[local_.front().front];
    const bool is_shared =
        std::any_of(remote_.begin(), remote_.end(), [&](const auto& r) { return r.front == local_.front().front; });
    const auto field = delivered_to(local_.front().address);
    if (!is_shared && header.find(field) == std::string::npos)
      header.insert(header.find("\r\n") + 2, field); // behind Return-Path
  }
  return out;
}

bool delivery_plan::is_loop(std::string_view value) const {
  auto address = canonical_address(value);
  return address && passed_on_.contains(*address);
}

} // namespace merpati::mail
