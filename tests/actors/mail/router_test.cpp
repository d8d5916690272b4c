#include "actors/mail/router.hpp"

#include "protocols/smtp/srs.hpp"
#include "tests/actors/mail/routing_site.hpp"

using namespace merpati;
using test::routing_site;

namespace {

/// "account a@b", "alias a@b", "list a@b", "remote a@b", "unknown".
std::string route_of(const routing_site& site, const std::string& recipient) {
  smtp::mailbox box{"Postmaster", ""};
  if (recipient != "postmaster") {
    auto parsed = smtp::parse_mailbox(recipient, {.utf8 = true});
    REQUIRE(parsed);
    box = *parsed;
  }
  auto found = mail::find_route(site.view(), site.rules, box, site.now);
  REQUIRE(found);
  if (auto* account = std::get_if<mail::to_account>(&*found))
    return "account " + account->address + (account->detail.empty() ? "" : " detail " + account->detail);
  if (auto* alias = std::get_if<mail::to_alias>(&*found))
    return "alias " + alias->address;
  if (auto* list = std::get_if<mail::to_list>(&*found))
    return "list " + list->address;
  if (auto* remote = std::get_if<mail::to_remote>(&*found))
    return (remote->is_returning ? "returning " : "remote ") + smtp::write_mailbox(remote->address);
  return "unknown";
}

} // namespace

TEST_CASE("an address in any spelling leads to its account, alias or list") {
  routing_site site;
  site.domain("xn--bcher-kva.example");
  site.domain("example.com", "example.org");
  site.account("alice@example.org");
  site.account("\"two words\"@example.org");
  site.account("alice@xn--bcher-kva.example");
  site.account("jürgen@example.org");
  site.alias("info@example.org", {"alice@example.org"});
  site.list_of("all@example.org", {"alice@example.org"});
  CHECK(route_of(site, "alice@example.org") == "account alice@example.org");
  CHECK(route_of(site, "ALICE@Example.ORG") == "account alice@example.org");
  CHECK(route_of(site, "\"alice\"@example.org") == "account alice@example.org");
  CHECK(route_of(site, "\"Two Words\"@example.org") == "account \"two words\"@example.org");
  CHECK(route_of(site, "alice@bücher.example") == "account alice@xn--bcher-kva.example");
  CHECK(route_of(site, "alice@XN--BCHER-KVA.example") == "account alice@xn--bcher-kva.example");
  CHECK(route_of(site, "JÜRGEN@example.org") == "account jürgen@example.org");
  CHECK(route_of(site, "Alice@Example.com") == "account alice@example.org");
  CHECK(route_of(site, "Info@example.org") == "alias info@example.org");
  CHECK(route_of(site, "all@example.com") == "list all@example.org");
  CHECK(route_of(site, "bob@example.org") == "unknown");
  CHECK(route_of(site, "bob@elsewhere.example") == "remote bob@elsewhere.example");
  CHECK(route_of(site, "alice@[192.0.2.1]") == "remote alice@[192.0.2.1]");
}

TEST_CASE("details behind a separator, which is configurable") {
  routing_site site;
  site.account("alice@example.org");
  site.account("bob+own@example.org");
  site.account("bob@example.org");
  site.list_of("all@example.org", {"alice@example.org"});
  CHECK(route_of(site, "alice+Books@example.org") == "account alice@example.org detail books");
  CHECK(route_of(site, "alice+a+b@example.org") == "account alice@example.org detail a+b");
  CHECK(route_of(site, "bob+own@example.org") == "account bob+own@example.org");
  CHECK(route_of(site, "all+x@example.org") == "list all@example.org");
  CHECK(route_of(site, "+x@example.org") == "unknown");
  CHECK(route_of(site, "alice-x@example.org") == "unknown");
  site.rules.detail_separators = "-_";
  CHECK(route_of(site, "alice-x@example.org") == "account alice@example.org detail x");
  CHECK(route_of(site, "alice_x@example.org") == "account alice@example.org detail x");
  CHECK(route_of(site, "alice+x@example.org") == "unknown");
  site.rules.detail_separators = "";
  CHECK(route_of(site, "alice-x@example.org") == "unknown");
}

TEST_CASE("somebody is postmaster and abuse in every domain") {
  routing_site site;
  site.domain("example.com");
  CHECK(route_of(site, "postmaster@example.com") == "unknown"); // there is nobody at all
  site.account("alice@example.org");
  site.account("carol@example.com");
  CHECK(route_of(site, "postmaster@example.com") == "account carol@example.com");
  CHECK(route_of(site, "abuse@example.org") == "account alice@example.org");
  CHECK(route_of(site, "postmaster") == "account alice@example.org");
  site.alias("postmaster@example.org", {"alice@example.org"});
  CHECK(route_of(site, "Postmaster@EXAMPLE.com") == "alias postmaster@example.org");
  CHECK(route_of(site, "abuse@example.org") == "alias postmaster@example.org");
  CHECK(route_of(site, "postmaster") == "alias postmaster@example.org");
  site.account("abuse@example.com");
  CHECK(route_of(site, "abuse@example.com") == "account abuse@example.com");
  CHECK(route_of(site, "hostmaster@example.com") == "unknown");
}

TEST_CASE("a catch-all takes what nothing else takes") {
  routing_site site;
  site.account("alice@example.org");
  site.list_of("all@example.org", {"alice@example.org"});
  site.alias("@example.org", {"alice@example.org"});
  CHECK(route_of(site, "Anything@example.org") == "alias anything@example.org");
  CHECK(route_of(site, "alice+x@example.org") == "account alice@example.org detail x");
  CHECK(route_of(site, "all-bounces@example.org") == "account alice@example.org"); // it has no owner
  CHECK(route_of(site, "postmaster@example.org") == "account alice@example.org");
}

TEST_CASE("a list's owners get its bounces, and a rewritten sender leads back") {
  routing_site site;
  mail::list_settings list;
  list.owners = {"owner@elsewhere.example"};
  site.list("all@example.org", list);
  CHECK(route_of(site, "all-bounces@example.org") == "alias all-bounces@example.org");
  CHECK(route_of(site, "all-owner@example.org") == "alias all-owner@example.org");
  CHECK(route_of(site, "none-owner@example.org") == "unknown");
  const auto made = smtp::srs_forward({"Some.One", "first.example"}, "example.org", "a secret", site.now).value();
  CHECK(route_of(site, smtp::write_mailbox(made)) == "returning Some.One@first.example");
  auto other = made;
  other.local_part.back() = 'x';
  CHECK(route_of(site, smtp::write_mailbox(other)) == "unknown");
  site.rules.srs_secrets.clear();
  CHECK(route_of(site, smtp::write_mailbox(made)) == "unknown");
}

TEST_CASE("settings read back as they were written, and nothing else is believed") {
  mail::list_settings list;
  list.title = "All of us\nand more";
  list.posting = mail::posting_rule::owners;
  list.owners = {"o@example.org"};
  list.members = {"a@example.org", "\"b c\"@example.org"};
  auto flat = list;
  flat.title = "All of us and more";
  const std::vector<mail::address_settings> all{mail::alias_settings{{"a@b", "c@d"}}, mail::alias_settings{}, flat,
                                                mail::list_settings{}, mail::forward_settings{{"a@b"}, false}};
  for (const auto& each : all) {
    const auto text = mail::write_settings(each);
    CHECK(mail::read_settings(text).value() == each);
    CHECK_FALSE(mail::read_settings(text + "x").has_value());
    CHECK_FALSE(mail::read_settings(text + "colour blue\n").has_value());
  }
  CHECK(mail::read_settings(mail::write_settings(list)).value() == mail::address_settings(flat));
  CHECK_FALSE(mail::read_settings("").has_value());
  CHECK_FALSE(mail::read_settings("folder\n").has_value());
  CHECK_FALSE(mail::read_settings("list\nposting nobody\n").has_value());
  CHECK(mail::read_domain_settings("").value().alias_of.empty());
  CHECK(mail::read_domain_settings(mail::write_settings(mail::domain_settings{"a.example"})).value().alias_of
        == "a.example");
  CHECK_FALSE(mail::read_domain_settings("other x\n").has_value());
}
