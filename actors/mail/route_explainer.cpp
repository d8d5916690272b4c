#include "actors/mail/route_explainer.hpp"

#include "actors/mail/delivery_plan.hpp"

namespace merpati::mail {

namespace {

class line_collector final : public step_recorder {
public:
  void step(std::string_view what) override { lines.emplace_back(what); }
  std::vector<std::string> lines;
};

std::string verdict_text(admission what) {
  switch (what) {
  case admission::taken: return "250 2.1.5: taken";
  case admission::unknown_recipient: return "550 5.1.1: there is no such recipient";
  case admission::relay_denied: return "550 5.7.1: not our domain, and nobody logged in";
  case admission::over_quota: return "452 4.2.2: the mailbox is full now";
  case admission::may_not_post: return "550 5.7.2: the list does not take mail from this sender";
  case admission::loop: return "554 5.4.6: it leads in circles";
  }
  return {};
}

result<smtp::mailbox> address_value(const std::string& text, const char* what) {
  auto parsed = smtp::parse_mailbox(text, {.utf8 = true});
  if (!parsed)
    return fail(errc::invalid, std::string(what) + " \"" + text + "\" is no mail address");
  return *parsed;
}

} // namespace

result<std::vector<std::string>> explain_route(const storage::read_view& view, const routing_rules& rules,
                                               const explain_request& what, timestamp now) {
  line_collector steps;
  sender_facts facts;
  smtp::recipient recipient;
  recipient.address.local_part = what.recipient;
  if (what.recipient.find('@') != std::string::npos) {
    auto parsed = address_value(what.recipient, "the recipient");
    if (!parsed)
      return tl::make_unexpected(parsed.error());
    recipient.address = std::move(*parsed);
  }
  if (!what.sender.empty()) {
    auto parsed = address_value(what.sender, "the sender");
    if (!parsed)
      return tl::make_unexpected(parsed.error());
    facts.sender = std::move(*parsed);
  }
  facts.account = what.account;
  steps.step("sender " + smtp::write_path(facts.sender)
             + (facts.account.empty() ? ", nobody logged in" : ", logged in as " + facts.account));
  delivery_plan plan(rules, facts, now, &steps);
  auto admitted = plan.add(view, recipient);
  if (!admitted)
    return tl::make_unexpected(admitted.error());
  steps.step(verdict_text(admitted->what));
  if (admitted->what == admission::taken)
    steps.step(std::to_string(plan.local().size()) + " mailboxes, " + std::to_string(plan.remote().size())
               + " addresses elsewhere, " + std::to_string(plan.deferred().size()) + " full mailboxes later");
  return std::move(steps.lines);
}

} // namespace merpati::mail
