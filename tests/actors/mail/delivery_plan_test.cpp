#include "actors/mail/delivery_plan.hpp"

#include <algorithm>

#include "actors/mail/waiting_details.hpp"
#include "protocols/smtp/srs.hpp"
#include "tests/actors/mail/routing_site.hpp"

using namespace merpati;
using mail::admission;
using test::routing_site;

namespace {

std::vector<std::string> mailboxes(const mail::delivery_plan& plan) {
  std::vector<std::string> out;
  for (const auto& each : plan.local())
    out.push_back(each.address);
  std::sort(out.begin(), out.end());
  return out;
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE("recipients that lead to one mailbox make one copy") {
  routing_site site;
  site.account("alice@example.org");
  site.account("bob@example.org");
  site.alias("both@example.org", {"bob@example.org", "alice@example.org"});
  auto plan = site.plan();
  CHECK(site.add(plan, "alice@example.org") == admission::taken);
  CHECK(plan.fronts() == names{"Return-Path: <outside@example.net>\r\nDelivered-To: alice@example.org\r\n"});
  CHECK(site.add(plan, "Alice+x@example.org") == admission::taken);
  CHECK(site.add(plan, "both@example.org") == admission::taken);
  CHECK(mailboxes(plan) == names{"alice@example.org", "bob@example.org"});
  CHECK(plan.fronts() == names{"Return-Path: <outside@example.net>\r\n"});
}

TEST_CASE("who is unknown, elsewhere or full is not taken, and changes nothing") {
  routing_site site;
  site.account("alice@example.org");
  site.full_account("full@example.org");
  site.alias("nowhere@example.org", {"gone@example.org"});
  auto plan = site.plan();
  CHECK(site.add(plan, "nobody@example.org") == admission::unknown_recipient);
  CHECK(site.add(plan, "x@elsewhere.example") == admission::relay_denied);
  CHECK(site.add(plan, "full@example.org") == admission::over_quota);
  CHECK(site.add(plan, "nowhere@example.org") == admission::unknown_recipient);
  CHECK(site.add(plan, "nowhere@example.org") == admission::unknown_recipient);
  CHECK((plan.local().empty() && plan.remote().empty()));
  auto user = site.plan("alice@example.org", "alice@example.org");
  CHECK(site.add(user, "x@elsewhere.example") == admission::taken);
  REQUIRE(user.remote().size() == 1);
  CHECK(user.remote()[0].sender == smtp::mailbox{"alice", "example.org"});
  CHECK(user.fronts() == names{""});
}

TEST_CASE("a list sends under its own name, to each member once, through lists of lists") {
  routing_site site;
  for (const std::string name : {"a", "b", "c"})
    site.account(name + "@example.org");
  mail::list_settings inner;
  inner.title = "The \"inner\" circle";
  inner.owners = {"a@example.org"};
  inner.posting = mail::posting_rule::members;
  inner.members = {"b@example.org", "c@example.org", "outer@example.org"};
  site.list("inner@example.org", inner);
  site.list_of("outer@example.org",
               {"a@example.org", "b@example.org", "gone@example.org", "inner@example.org", "x@elsewhere.example"});
  auto plan = site.plan();
  CHECK(site.add(plan, "outer@example.org") == admission::taken);
  CHECK(mailboxes(plan) == names{"a@example.org", "b@example.org", "c@example.org"});
  REQUIRE(plan.dead_ends().size() == 1);
  CHECK(plan.dead_ends()[0].address == "gone@example.org");
  CHECK(plan.dead_ends()[0].behind == "outer@example.org");
  CHECK(mail::describe(plan.dead_ends()) == "gone@example.org of outer@example.org");
  REQUIRE(plan.remote().size() == 1);
  CHECK(plan.remote()[0].sender == smtp::mailbox{"outer-bounces", "example.org"});
  const auto fronts = plan.fronts();
  const std::string outer = "Delivered-To: outer@example.org\r\nList-Id: <outer.example.org>\r\n"
                            "List-Post: <mailto:outer@example.org>\r\nList-Owner: <mailto:outer-owner@example.org>\r\n"
                            "Precedence: list\r\n";
  CHECK(fronts[plan.remote()[0].front] == outer);
  REQUIRE(fronts.size() == 3);
  for (const auto& each : plan.local()) {
    const auto& front = fronts[each.front];
    if (each.address == "c@example.org")
      CHECK(front.find("Return-Path: <inner-bounces@example.org>\r\nDelivered-To: inner@example.org\r\n"
                       "List-Id: \"The \\\"inner\\\" circle\" <inner.example.org>\r\n")
            == 0);
    else
      CHECK(front == "Return-Path: <outer-bounces@example.org>\r\n" + outer);
  }
  CHECK(plan.is_loop("Outer@EXAMPLE.org"));
  CHECK(plan.is_loop("inner@example.org"));
  CHECK_FALSE(plan.is_loop("a@example.org"));
  CHECK_FALSE(plan.is_loop("no address"));
}

TEST_CASE("what is gone is named with what it belongs to, and not at any length") {
  routing_site site;
  site.account("a@example.org");
  site.forward("a@example.org", {"gone@example.org"}, true);
  site.list_of("inner@example.org", {"nobody@example.org"});
  site.alias("both@example.org", {"a@example.org", "inner@example.org"});
  auto plan = site.plan();
  CHECK(site.add(plan, "both@example.org") == admission::taken);
  CHECK(site.add(plan, "both@example.org") == admission::taken);
  CHECK(mail::describe(plan.dead_ends())
        == "gone@example.org of a@example.org, nobody@example.org of inner@example.org");
  names many;
  for (int i = 100; i != 113; ++i)
    many.push_back(std::to_string(i) + "@example.org");
  many.push_back("a@example.org");
  site.list_of("many@example.org", many);
  auto second = site.plan();
  CHECK(site.add(second, "many@example.org") == admission::taken);
  const auto text = mail::describe(second.dead_ends());
  CHECK(text.starts_with("100@example.org of many@example.org, 101@example.org of many@example.org, "));
  CHECK(text.ends_with("109@example.org of many@example.org and 4 more"));
}

TEST_CASE("who may send to a list") {
  routing_site site;
  site.account("member@example.org");
  mail::list_settings list;
  list.members = {"member@example.org"};
  list.owners = {"owner@elsewhere.example"};
  auto sends = [&](const std::string& sender, const std::string& account = {}) {
    auto plan = site.plan(sender, account);
    return site.add(plan, "all@example.org") == admission::taken;
  };
  site.list("all@example.org", list);
  CHECK(sends("stranger@example.net"));
  CHECK_FALSE(sends("")); // bounces and automatic answers
  list.posting = mail::posting_rule::members;
  site.list("all@example.org", list);
  CHECK(sends("MEMBER@example.org"));
  CHECK(sends("Owner@elsewhere.example"));
  CHECK(sends("other@example.org", "member@example.org"));
  CHECK_FALSE(sends("stranger@example.net"));
  list.posting = mail::posting_rule::owners;
  site.list("all@example.org", list);
  CHECK(sends("owner@elsewhere.example"));
  CHECK_FALSE(sends("member@example.org"));
  CHECK(mail::list_fields("all@example.org", list).find("List-Post: NO\r\n") != std::string::npos);
}

TEST_CASE("aliases that lead in circles end, and only those that lead nowhere else are refused") {
  routing_site site;
  site.account("alice@example.org");
  site.alias("a@example.org", {"b@example.org"});
  site.alias("b@example.org", {"c@example.org", "a@example.org"});
  site.alias("c@example.org", {"b@example.org"});
  auto plan = site.plan();
  CHECK(site.add(plan, "a@example.org") == admission::loop);
  CHECK(site.add(plan, "c@example.org") == admission::loop);
  site.alias("c@example.org", {"b@example.org", "alice@example.org"});
  auto other = site.plan();
  CHECK(site.add(other, "a@example.org") == admission::taken);
  CHECK(site.add(other, "b@example.org") == admission::taken);
  CHECK(mailboxes(other) == names{"alice@example.org"});
  // Each level doubles the ways; each address is followed once all the same.
  for (int i = 0; i != 40; ++i)
    for (const std::string side : {"l", "r"})
      site.alias(side + std::to_string(i) + "@example.org",
                 {"l" + std::to_string(i + 1) + "@example.org", "r" + std::to_string(i + 1) + "@example.org"});
  auto deep = site.plan();
  CHECK(site.add(deep, "l0@example.org") == admission::loop);
}

TEST_CASE("an account that forwards keeps a copy by choice, and when it leads nowhere") {
  routing_site site;
  site.account("alice@example.org");
  site.account("bob@example.org");
  site.forward("alice@example.org", {"a@elsewhere.example", "bob@example.org"}, false);
  auto plan = site.plan();
  CHECK(site.add(plan, "alice@example.org") == admission::taken);
  CHECK(mailboxes(plan) == names{"bob@example.org"});
  REQUIRE(plan.remote().size() == 1);
  const auto sender = plan.remote()[0].sender.value();
  CHECK(sender.domain == "example.org");
  CHECK(smtp::srs_reverse(sender.local_part, site.rules.srs_secrets, site.now).value()
        == smtp::mailbox{"outside", "example.net"});
  CHECK(plan.fronts()[plan.remote()[0].front] == "Delivered-To: alice@example.org\r\n");
  CHECK(plan.is_loop("alice@example.org"));
  site.forward("alice@example.org", {"bob@example.org"}, true);
  auto kept = site.plan();
  CHECK(site.add(kept, "alice@example.org") == admission::taken);
  CHECK(mailboxes(kept) == names{"alice@example.org", "bob@example.org"});
  site.forward("bob@example.org", {"alice@example.org"}, false);
  site.forward("alice@example.org", {"bob@example.org"}, false);
  auto circle = site.plan();
  CHECK(site.add(circle, "alice@example.org") == admission::taken);
  CHECK(circle.local().size() == 1);
}

TEST_CASE("forwarded senders: the null sender stays, long ones are replaced, users' own are not rewritten") {
  routing_site site;
  site.account("alice@example.org");
  site.alias("out@example.org", {"a@elsewhere.example", "b@elsewhere.example"});
  auto sender_for = [&](const std::string& sender, const std::string& account = {}) {
    auto plan = site.plan(sender, account);
    CHECK(site.add(plan, "out@example.org") == admission::taken);
    REQUIRE(plan.remote().size() == 2);
    CHECK(plan.fronts() == names{"Delivered-To: out@example.org\r\n"});
    return smtp::write_path(plan.remote()[0].sender);
  };
  CHECK(sender_for("") == "<>");
  CHECK(sender_for("x@example.net").starts_with("<SRS0="));
  CHECK(sender_for(std::string(60, 'x') + "@example.net") == "<out@example.org>");
  CHECK(sender_for("alice@example.org", "alice@example.org") == "<alice@example.org>");
}

TEST_CASE("a member whose mailbox is full gets its copy later, the others now") {
  routing_site site;
  site.account("a@example.org");
  site.full_account("full@example.org");
  site.list_of("all@example.org", {"a@example.org", "full@example.org"});
  auto plan = site.plan();
  CHECK(site.add(plan, "all@example.org") == admission::taken);
  CHECK(mailboxes(plan) == names{"a@example.org"});
  REQUIRE(plan.deferred().size() == 1);
  CHECK(plan.deferred()[0].address == "full@example.org");
  CHECK(plan.deferred()[0].front == plan.local()[0].front);
}

TEST_CASE("a list of 10,000 members is planned in one front") {
  routing_site site;
  mail::list_settings list;
  std::vector<storage::mutation> accounts;
  for (int i = 0; i != 10'000; ++i) {
    const auto name = "m" + std::to_string(i) + "@example.org";
    list.members.push_back(name);
    site.account(name);
  }
  site.list("all@example.org", list);
  auto plan = site.plan();
  CHECK(site.add(plan, "all@example.org") == admission::taken);
  CHECK(plan.local().size() == 10'000);
  CHECK(plan.fronts().size() == 1);
}

TEST_CASE("what waits keeps all that a later attempt needs") {
  mail::waiting_details d;
  d.message = "abcdefghijklm";
  d.accepted = timestamp(std::chrono::microseconds(1'790'000'000'123'456));
  d.recipient.address = {"a b", "example.net"};
  CHECK(mail::read_details(mail::write_details(d)).value() == d);
  d.sender = smtp::mailbox{"jürgen", "bücher.example"};
  d.recipient.parameters = {smtp::notify_success | smtp::notify_delay, "rfc822", "A+B=x@example.net"};
  d.mail.body = smtp::body_type::binary;
  d.mail.utf8 = true;
  d.mail.returned = smtp::returned_part::headers;
  d.mail.envelope_id = "id with blanks+";
  d.mail.require_tls = true;
  d.mail.priority = -4;
  d.mail.deliver = smtp::deliver_by{std::chrono::seconds(-30), false, true};
  const auto text = mail::write_details(d);
  CHECK(mail::read_details(text).value() == d);
  d.mail.deliver = smtp::deliver_by{std::chrono::seconds(30), true, false};
  d.mail.returned = smtp::returned_part::full;
  CHECK(mail::read_details(mail::write_details(d)).value() == d);
  CHECK_FALSE(mail::read_details(text + "x").has_value());
  for (const std::string line : {"to nobody", "notify 99", "priority 12", "by 3", "original x", "colour blue", "odd"})
    CHECK_FALSE(mail::read_details(line + "\n").has_value());
  CHECK(mail::destination_of({"a", "BÜCHER.example"}).value() == "xn--bcher-kva.example");
}
