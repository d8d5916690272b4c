// The admin port over real loopback HTTP, by its own client and by raw requests.
#include <map>
#include <mutex>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "actors/admin/admin_client.hpp"
#include "actors/admin/admin_server.hpp"
#include "actors/admin/wire.hpp"
#include "base/log.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

/// Domains and accounts in memory.
class fake_accounts final : public mail::account_service {
public:
  result<std::vector<std::string>> domains() override {
    std::scoped_lock lock(mutex_);
    return domains_;
  }
  result<std::string> add_domain(std::string_view name) override {
    std::scoped_lock lock(mutex_);
    if (name == "throw")
      throw std::runtime_error("out of order");
    if (std::find(domains_.begin(), domains_.end(), name) != domains_.end())
      return fail(errc::already_exists, "domain exists already");
    domains_.emplace_back(name);
    return std::string(name);
  }
  result<void> remove_domain(std::string_view name) override {
    std::scoped_lock lock(mutex_);
    if (std::erase(domains_, std::string(name)) == 0)
      return fail(errc::not_found, "there is no domain " + std::string(name));
    return {};
  }
  result<std::vector<mail::account_summary>> accounts() override {
    std::scoped_lock lock(mutex_);
    std::vector<mail::account_summary> out;
    for (const auto& [name, account] : accounts_)
      out.push_back(account);
    return out;
  }
  result<std::string> add_account(const mail::new_account& account) override {
    std::scoped_lock lock(mutex_);
    if (full)
      return fail(errc::disk_full, "the disk is full");
    mail::account_summary row;
    row.address = account.address;
    row.quota_bytes = account.quota_bytes;
    row.used_bytes = 12345678901234;
    row.messages = 3;
    accounts_[account.address] = row;
    passwords[account.address] = account.password;
    return account.address;
  }
  result<void> remove_account(std::string_view address) override {
    std::scoped_lock lock(mutex_);
    if (accounts_.erase(std::string(address)) == 0)
      return fail(errc::not_found, "there is no account " + std::string(address));
    return {};
  }
  result<void> set_enabled(std::string_view address, bool enabled) override {
    return change(address, [&](auto& row) { row.enabled = enabled; });
  }
  result<void> set_password(std::string_view address, std::string_view password) override {
    return change(address, [&](auto&) { passwords[std::string(address)] = password; });
  }
  result<void> set_quota(std::string_view address, std::uint64_t bytes) override {
    return change(address, [&](auto& row) { row.quota_bytes = bytes; });
  }

  std::map<std::string, std::string> passwords;
  bool full = false;

private:
  template <class F>
  result<void> change(std::string_view address, F f) {
    std::scoped_lock lock(mutex_);
    auto found = accounts_.find(std::string(address));
    if (found == accounts_.end())
      return fail(errc::not_found, "there is no account " + std::string(address));
    f(found->second);
    return {};
  }

  std::mutex mutex_;
  std::vector<std::string> domains_;
  std::map<std::string, mail::account_summary> accounts_;
};

const std::string token = "0123456789abcdef";

class fixture {
public:
  fake_accounts accounts;
  result<void> health;
  int reloads = 0;
  std::vector<runtime::actor_stats> actors;
  std::unique_ptr<admin::server> server;

  fixture() {
    runtime::actor_stats a;
    a.id = 7;
    a.kind = "imap";
    a.label = "192.0.2.1 \"<script>\xff";
    a.parent = 2;
    a.started_us = 1'700'000'000'000'000;
    a.mailbox_depth = 4;
    a.handled = 99;
    a.busy_ns = 2'500'000;
    a.restarts = 1;
    a.last_error = "cut";
    actors.push_back(a);
    a.id = 8;
    a.kind = "smtp";
    a.mailbox_depth = 2;
    actors.push_back(a);

    admin::services what;
    what.accounts = &accounts;
    what.health = [this] { return health; };
    what.actors = [this] { return actors; };
    what.kinds = [] {
      runtime::kind_stats k;
      k.kind = "imap";
      k.alive = 1;
      k.started = 12;
      k.handled = 1000;
      k.busy_ns = 1'500'000'000;
      k.last_error = "<b>bad</b>";
      return std::vector<runtime::kind_stats>{k};
    };
    what.metrics = [] {
      return std::vector<admin::metric>{{"store_commits_total", "Commits.", true, 5, "shard=\"0\""},
                                        {"connections", "Open connections.", false, 3, ""},
                                        {"store_commits_total", "Commits.", true, 6, "shard=\"1\""}};
    };
    what.reload = [this]() -> result<void> {
      ++reloads;
      return {};
    };
    admin::server_options options;
    options.token = token;
    options.version = "1.2.3";
    auto started = admin::server::start(options, what);
    REQUIRE(started);
    server = std::move(*started);
  }

  httplib::Client http() const { return httplib::Client("127.0.0.1", server->port()); }
  admin::client client(const std::string& with = token) const { return {"127.0.0.1", server->port(), with}; }

  httplib::Headers right() const { return {{"Authorization", "Bearer " + token}}; }
};

} // namespace

TEST_CASE_METHOD(fixture, "health is ok, or 503 and the reason") {
  auto good = http().Get("/healthz");
  REQUIRE(good);
  CHECK(good->status == 200);
  CHECK(good->body == "ok\n");
  health = fail(errc::disk_full, "the disk is full");
  auto bad = http().Get("/healthz");
  REQUIRE(bad);
  CHECK(bad->status == 503);
  CHECK(bad->body == "the disk is full\n");
}

TEST_CASE_METHOD(fixture, "actors as JSON, all or of one kind") {
  auto all = http().Get("/actors");
  REQUIRE(all);
  CHECK(all->get_header_value("Content-Type") == "application/json");
  auto list = nlohmann::json::parse(all->body)["actors"];
  REQUIRE(list.size() == 2);
  CHECK(list[0]["id"] == 7);
  CHECK(list[0]["kind"] == "imap");
  CHECK(list[0]["name"] == "192.0.2.1 \"<script>\xef\xbf\xbd");
  CHECK(list[0]["parent"] == 2);
  CHECK(list[0]["mailbox_depth"] == 4);
  CHECK(list[0]["handled"] == 99);
  CHECK(list[0]["time_us"] == 2500);
  CHECK(list[0]["restarts"] == 1);
  CHECK(list[0]["last_error"] == "cut");
  auto some = http().Get("/actors?kind=smtp");
  REQUIRE(some);
  auto filtered = nlohmann::json::parse(some->body)["actors"];
  REQUIRE(filtered.size() == 1);
  CHECK(filtered[0]["id"] == 8);
  CHECK(nlohmann::json::parse(http().Get("/actors?kind=none")->body)["actors"].empty());
}

TEST_CASE_METHOD(fixture, "metrics are Prometheus text, each family once") {
  auto answer = http().Get("/metrics");
  REQUIRE(answer);
  CHECK(answer->get_header_value("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  const auto& text = answer->body;
  for (const char* line : {"merpati_build_info{version=\"1.2.3\"} 1\n", "# TYPE merpati_actors gauge\n",
                           "merpati_actors{kind=\"imap\"} 1\n", "merpati_actors_started_total{kind=\"imap\"} 12\n",
                           "merpati_actor_busy_seconds_total{kind=\"imap\"} 1.5\n",
                           "merpati_actor_mailbox_depth_max{kind=\"smtp\"} 2\n", "merpati_connections 3\n",
                           "# TYPE merpati_store_commits_total counter\nmerpati_store_commits_total{shard=\"0\"} 5\n"
                           "merpati_store_commits_total{shard=\"1\"} 6\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
  std::map<std::string, int> families;
  for (std::size_t at = 0; (at = text.find("# TYPE ", at)) != std::string::npos; ++at)
    ++families[text.substr(at, text.find(' ', at + 7) - at)];
  for (const auto& [name, times] : families) {
    INFO(name);
    CHECK(times == 1);
  }
}

TEST_CASE_METHOD(fixture, "the page escapes what it shows and allows no script") {
  auto page = http().Get("/");
  REQUIRE(page);
  CHECK(page->status == 200);
  CHECK(page->body.find("In good health.") != std::string::npos);
  CHECK(page->body.find("&lt;b&gt;bad&lt;/b&gt;") != std::string::npos);
  CHECK(page->body.find("<b>bad") == std::string::npos);
  CHECK(page->get_header_value("Content-Security-Policy").starts_with("default-src 'none'"));
  CHECK(page->get_header_value("X-Content-Type-Options") == "nosniff");
}

TEST_CASE_METHOD(fixture, "the client changes domains and users through the server") {
  auto c = client();
  CHECK(c.domains().value().empty());
  CHECK(c.add_domain("example.org").value() == "example.org");
  CHECK(c.add_domain("example.org").error().code == errc::already_exists);
  CHECK(c.domains().value() == std::vector<std::string>{"example.org"});
  CHECK(c.remove_domain("example.net").error().code == errc::not_found);
  CHECK(c.remove_domain("example.org"));

  const std::string odd = "a/b+c %41?#\"\xc3\xa4@example.org";
  for (const std::string& address : {std::string("alice@example.org"), odd, std::string("x/enable@example.org")}) {
    INFO(address);
    CHECK(c.add_account({address, "pass \"word\" \xc3\xa4", 5'000'000'000}).value() == address);
    CHECK(accounts.passwords[address] == "pass \"word\" \xc3\xa4");
    CHECK(c.set_enabled(address, false));
    auto list = c.accounts().value();
    REQUIRE(list.size() == 1);
    CHECK(list[0] == mail::account_summary{address, false, 5'000'000'000, 12345678901234, 3});
    CHECK(c.set_enabled(address, true));
    CHECK(c.set_password(address, "other"));
    CHECK(accounts.passwords[address] == "other");
    CHECK(c.set_quota(address, 77));
    CHECK(c.accounts().value()[0].quota_bytes == 77);
    CHECK(c.accounts().value()[0].enabled);
    CHECK(c.remove_account(address));
    CHECK(c.set_enabled(address, true).error().code == errc::not_found);
  }
  accounts.full = true;
  auto refused = c.add_account({"bob@example.org", "password", 0});
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::disk_full);
  CHECK(refused.error().what == "the disk is full");
  CHECK(c.reload());
  CHECK(reloads == 1);
}

TEST_CASE_METHOD(fixture, "changes and lists of people need the token") {
  for (const std::string& bad : {std::string(), std::string("wrong"), token + "0", token.substr(1)}) {
    INFO(bad);
    auto c = client(bad);
    CHECK(c.domains().error().code == errc::auth_failed);
    CHECK(c.add_domain("example.org").error().code == errc::auth_failed);
    CHECK(c.remove_account("a@b.c").error().code == errc::auth_failed);
    CHECK(c.reload().error().code == errc::auth_failed);
  }
  auto none = http().Post("/v1/domains", "{\"name\":\"a.b\"}", "application/json");
  REQUIRE(none);
  CHECK(none->status == 401);
  CHECK(none->has_header("WWW-Authenticate"));
  // Nor by another spelling of the path.
  for (const char* path :
       {"/V1/domains", "/%76%31/domains", "//v1/domains", "/./v1/domains", "/x/../v1/domains", "/v1"}) {
    INFO(path);
    auto sly = http().Get(path);
    REQUIRE(sly);
    CHECK((sly->status == 401 || sly->status == 404));
  }
  CHECK(accounts.domains().value().empty());
  CHECK(reloads == 0);
}

TEST_CASE_METHOD(fixture, "only our own names get an answer: no DNS rebinding") {
  auto port = ":" + std::to_string(server->port());
  for (const std::string& host : {"127.0.0.1" + port, std::string("localhost"), "LOCALHOST" + port, "[::1]" + port}) {
    INFO(host);
    CHECK(http().Get("/healthz", {{"Host", host}})->status == 200);
  }
  for (const std::string& host :
       {std::string("evil.example"), "evil.example" + port, std::string("127.0.0.1.evil.example"),
        std::string("192.0.2.1"), std::string("[::1")}) {
    INFO(host);
    auto refused = http().Get("/actors", {{"Host", host}});
    REQUIRE(refused);
    CHECK(refused->status == 403);
    CHECK(http().Get("/v1/domains", {{"Host", host}, {"Authorization", "Bearer " + token}})->status == 403);
  }
}

TEST_CASE_METHOD(fixture, "malformed requests are answered with what to send") {
  auto c = http();
  for (const char* body : {"", "{", "[]", "null", "{\"name\":5}", "{\"nam\":\"x\"}", "\xff"}) {
    INFO(body);
    auto answer = c.Post("/v1/domains", right(), body, "application/json");
    REQUIRE(answer);
    CHECK(answer->status == 400);
    CHECK(nlohmann::json::parse(answer->body)["error"] == "invalid");
  }
  auto nested = c.Post("/v1/domains", right(), std::string(16'000, '['), "application/json");
  REQUIRE(nested);
  CHECK(nested->status == 400);
  for (const char* body : {"{\"address\":\"a@b.c\"}", "{\"address\":\"a@b.c\",\"password\":\"x\",\"quota_bytes\":-1}",
                           "{\"address\":\"a@b.c\",\"password\":\"x\",\"quota_bytes\":\"1\"}"})
    CHECK(c.Post("/v1/users", right(), body, "application/json")->status == 400);
  CHECK(c.Put("/v1/users/a@b.c/quota", right(), "{}", "application/json")->status == 400);
  CHECK(c.Put("/v1/users/a@b.c/shoe", right(), "{}", "application/json")->status == 404);
  CHECK(c.Get("/nowhere")->status == 404);
  CHECK(c.Get("/../../etc/passwd")->status == 404);
  CHECK(c.Post("/healthz", "", "text/plain")->status == 404);
}

TEST_CASE_METHOD(fixture, "large, endless and overlong requests are refused") {
  auto c = http();
  auto large = c.Post("/v1/domains", right(), std::string((4 << 20) + 1, 'x'), "application/json");
  REQUIRE(large);
  CHECK(large->status == 413);
  auto chunked = c.Post(
      "/v1/domains", right(),
      [](std::size_t, httplib::DataSink& sink) {
        sink.write("{}", 2);
        sink.done();
        return true;
      },
      "application/json");
  if (chunked)
    CHECK(chunked->status == 411);
  auto long_path = c.Get("/v1/users/" + std::string(2'000, 'a'), right());
  REQUIRE(long_path);
  CHECK(long_path->status == 414);
  CHECK(c.Get("/healthz")->status == 200);
}

TEST_CASE_METHOD(fixture, "an exception in a change is a 500 and an error in the log, and the port lives on") {
  std::vector<std::string> lines;
  log::set_tap([&](log::level, std::string_view line) { lines.emplace_back(line); });
  auto answer = client().add_domain("throw");
  log::set_tap({});
  REQUIRE(!answer);
  CHECK(answer.error().code == errc::internal);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("out of order") != std::string::npos);
  CHECK(client().add_domain("example.org"));
}

TEST_CASE_METHOD(fixture, "many at once") {
  // cpp-httplib makes its static regexes at the first answer, behind guards that ThreadSanitizer can't see in a library
  // that is not instrumented.
  REQUIRE(client().domains());
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      auto c = client();
      for (int i = 0; i < 10; ++i)
        good += c.add_domain("d" + std::to_string(t) + "-" + std::to_string(i) + ".example").has_value();
    });
  for (auto& thread : threads)
    thread.join();
  CHECK(good == 80);
  CHECK(accounts.domains().value().size() == 80);
}

TEST_CASE_METHOD(fixture, "a second server on the same port is refused, and the port is free after the end") {
  admin::server_options options;
  options.token = token;
  options.port = server->port();
  admin::services what;
  what.accounts = &accounts;
  auto second = admin::server::start(options, what);
  REQUIRE(!second);
  CHECK(second.error().code == errc::unavailable);
  server.reset();
  CHECK(admin::server::start(options, what));
  CHECK(admin::client("127.0.0.1", options.port, token).domains().error().code == errc::unavailable);
}

TEST_CASE("failures keep their kind on the wire") {
  for (int i = 0; i <= static_cast<int>(errc::internal); ++i) {
    auto code = static_cast<errc>(i);
    CHECK(admin::errc_named(to_string(code)) == code);
    CHECK(admin::http_status(code) >= 400);
  }
  CHECK(admin::errc_named("from the future") == errc::internal);
  CHECK(admin::path_segment("a/b@c.d~\xff") == "a%2Fb%40c.d~%FF");
}
