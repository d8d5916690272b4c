#include "tests/bench/imap_load.hpp"

#include "tests/bench/load_report.hpp"
#include "tests/bench/sample_message.hpp"

#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

namespace merpati::bench {

namespace {

// APPENDs on the way per connection: hides the round trip, and leaves the server free to commit several at once.
constexpr std::uint64_t append_window = 16;
// Messages of one APPEND where the server knows MULTIAPPEND (RFC 3502): it may then sync once for all of them.
constexpr std::uint64_t append_batch = 50;
// Logins at the same time: password hashing is dear by design, and a queue of it would only run into time limits.
constexpr std::uint64_t login_window = 8;
constexpr std::size_t mass_read_size = 256 * 1024;

template <class Make>
void run_one(event_loop& loop, std::chrono::seconds limit, Make make) {
  std::vector<task<void>> tasks;
  tasks.push_back(make());
  loop.run_all(std::move(tasks), limit);
}

struct fill_run {
  const imap_load_options* options;
  event_loop* loop;
  std::uint64_t next = 0;
};

task<void> count_messages(fill_run* run, std::uint64_t* count) {
  imap_client client(*run->loop, 4096);
  const auto& options = *run->options;
  co_await client.login(options.imap_port, nullptr, options.accounts.address(options.user), options.accounts.password);
  *count = co_await client.message_count(options.mailbox);
  co_await client.logout();
}

task<void> await_append(imap_client* client) {
  while (true) {
    const auto line = co_await client->stream().line();
    if (line.starts_with("* ") || line.starts_with("+"))
      continue;
    const auto space = line.find(' ');
    if (space == std::string_view::npos || !line.substr(space + 1).starts_with("OK"))
      throw load_error("IMAP APPEND: " + std::string(line));
    co_return;
  }
}

// Non-synchronising literals (RFC 7888): commands follow each other without a round trip.
std::string append_command(const imap_load_options& options, const std::string& user, const std::string& tag,
                           std::uint64_t first, std::uint64_t count) {
  auto command = tag + " APPEND " + options.mailbox;
  for (auto serial = first; serial < first + count; ++serial) {
    const auto message = sample_message(serial, "fill", user, options.size_bytes);
    command += (serial % 4 == 0 ? " () {" : " (\\Seen) {") + std::to_string(message.size()) + "+}\r\n" + message;
  }
  return command + "\r\n";
}

task<void> filler(fill_run* run) {
  const auto& options = *run->options;
  const auto user = options.accounts.address(options.user);
  imap_client client(*run->loop, 4096);
  co_await client.login(options.imap_port, nullptr, user, options.accounts.password);
  const bool many = co_await client.has_capability("MULTIAPPEND");
  const std::uint64_t window = many ? 2 : append_window;
  std::uint64_t on_the_way = 0;
  while (run->next < options.messages) {
    const auto count = std::min(many ? append_batch : 1, options.messages - run->next);
    const auto command = append_command(options, user, client.next_tag(), run->next, count);
    run->next += count;
    co_await client.stream().write(command);
    if (++on_the_way == window) {
      co_await await_append(&client);
      --on_the_way;
    }
  }
  for (; on_the_way > 0; --on_the_way)
    co_await await_append(&client);
  co_await client.logout();
}

struct fetch_run {
  const imap_load_options* options;
  event_loop* loop;
  bool check = false;
  std::uint64_t answers = 0;
  std::uint64_t octets = 0;
  std::uint64_t digest = 0;
};

// An answer without its message number and with its literals in place; order between answers does not count.
void digest_answer(fetch_run* run, std::string_view answer) {
  const auto open = answer.find('(');
  run->digest += std::hash<std::string_view>{}(answer.substr(open == std::string_view::npos ? 0 : open));
}

task<void> fetch_once(fetch_run* run, imap_client* client) {
  const auto tag = client->next_tag();
  const auto command = tag + " FETCH 1:* " + run->options->items + "\r\n";
  const auto end = tag + " ";
  run->answers = 0;
  run->digest = 0;
  const auto octets_before = client->stream().bytes_received();
  std::string answer;
  co_await client->stream().write(command);
  while (true) {
    auto line = co_await client->stream().line();
    if (line.starts_with(end)) {
      if (!line.substr(end.size()).starts_with("OK"))
        throw load_error("IMAP FETCH: " + std::string(line));
      break;
    }
    run->answers += line.find(" FETCH (") < 16 ? 1U : 0U;
    if (run->check)
      answer = line;
    // A literal continues the answer on further lines.
    for (auto literal = literal_at_end(line); literal >= 0; literal = literal_at_end(line)) {
      co_await client->stream().skip(static_cast<std::size_t>(literal));
      line = co_await client->stream().line();
      if (run->check)
        answer += line;
    }
    if (run->check)
      digest_answer(run, answer);
  }
  run->octets = client->stream().bytes_received() - octets_before;
  if (run->answers != run->options->messages)
    throw load_error("FETCH gave " + std::to_string(run->answers) + " answers for "
                     + std::to_string(run->options->messages) + " messages");
}

task<void> open_mailbox(fetch_run* run, imap_client* client) {
  const auto& options = *run->options;
  co_await client->login(options.imap_port, nullptr, options.accounts.address(options.user), options.accounts.password);
  const auto count = co_await client->select(options.mailbox);
  if (count != options.messages)
    throw load_error("mailbox holds " + std::to_string(count) + " messages instead of "
                     + std::to_string(options.messages));
}

struct idle_run {
  const imap_load_options* options;
  event_loop* loop;
  const tls_client* tls;
  std::vector<std::unique_ptr<imap_client>> clients;
  std::uint64_t next = 0;
  std::uint64_t until = 0;
};

task<void> open_idle_session(idle_run* run, std::uint64_t number) {
  const auto& options = *run->options;
  auto* client = run->clients[number].get();
  co_await client->login(options.imaps_port, run->tls, options.accounts.address(number % options.users),
                         options.accounts.password);
  co_await client->select(options.mailbox);
  const auto command = client->next_tag() + " IDLE\r\n";
  co_await client->stream().write(command);
  while (true) {
    const auto line = co_await client->stream().line();
    if (line.starts_with("+"))
      co_return;
    if (!line.starts_with("* "))
      throw load_error("IMAP IDLE: " + std::string(line));
  }
}

task<void> idle_opener(idle_run* run) {
  while (run->next < run->until)
    co_await open_idle_session(run, run->next++);
}

task<void> end_idle_session(imap_client* client) {
  co_await client->stream().write("DONE\r\n");
  co_await client->logout();
}

} // namespace

void run_fill(const imap_load_options& options) {
  event_loop loop;
  fill_run run{&options, &loop};
  const std::chrono::seconds limit(options.time_limit_s);
  run_one(loop, limit, [&] { return count_messages(&run, &run.next); });
  const auto before = run.next;
  const auto started = steady::now();
  if (before < options.messages) {
    std::vector<task<void>> fillers;
    for (std::uint64_t i = 0; i < options.connections; ++i)
      fillers.push_back(filler(&run));
    loop.run_all(std::move(fillers), limit);
  }
  const std::chrono::duration<double> time = steady::now() - started;
  std::uint64_t after = 0;
  run_one(loop, limit, [&] { return count_messages(&run, &after); });
  if (after != options.messages)
    throw load_error("mailbox holds " + std::to_string(after) + " messages after filling");
  report({{"event", "done"}, {"before", before}, {"messages", after}, {"seconds", time.count()}});
}

void run_fetch(const imap_load_options& options) {
  event_loop loop;
  fetch_run run{&options, &loop};
  const std::chrono::seconds limit(options.time_limit_s);
  imap_client client(loop, mass_read_size);
  run_one(loop, limit, [&] { return open_mailbox(&run, &client); });
  run.check = true;
  run_one(loop, limit, [&] { return fetch_once(&run, &client); });
  const auto digest = run.digest;
  run.check = false;

  report_and_wait({{"event", "ready"}});
  const auto cpu_before = own_cpu_seconds();
  std::vector<double> seconds;
  for (std::uint64_t i = 0; i < options.rounds; ++i) {
    const auto started = steady::now();
    run_one(loop, limit, [&] { return fetch_once(&run, &client); });
    seconds.push_back(std::chrono::duration<double>(steady::now() - started).count());
  }
  const auto cpu = own_cpu_seconds() - cpu_before;
  report_and_wait({{"event", "done"},
                   {"items", options.items},
                   {"messages", run.answers},
                   {"octets", run.octets},
                   {"digest", digest},
                   {"seconds", seconds},
                   {"best_s", *std::min_element(seconds.begin(), seconds.end())},
                   {"client_cpu_s", cpu}});
  run_one(loop, limit, [&] { return client.logout(); });
}

void run_idle(const imap_load_options& options) {
  event_loop loop;
  tls_client tls;
  idle_run run{&options, &loop, &tls, {}, 0, 0};
  const std::chrono::seconds limit(options.time_limit_s);
  for (std::uint64_t i = 0; i <= options.sessions; ++i)
    run.clients.push_back(std::make_unique<imap_client>(loop, 4096));
  const auto open_until = [&](std::uint64_t count) {
    run.until = count;
    std::vector<task<void>> openers;
    for (std::uint64_t i = 0; i < login_window; ++i)
      openers.push_back(idle_opener(&run));
    loop.run_all(std::move(openers), limit);
  };

  // The first session is in before the first figure is taken: what a server sets up once is not a session's.
  open_until(1);
  report_and_wait({{"event", "ready"}, {"sessions", 1}});
  open_until(1 + options.sessions / 2);
  report_and_wait({{"event", "open"}, {"sessions", options.sessions / 2}});
  open_until(1 + options.sessions);
  report_and_wait({{"event", "open"}, {"sessions", options.sessions}});

  std::vector<task<void>> closers;
  for (auto& client : run.clients)
    closers.push_back(end_idle_session(client.get()));
  loop.run_all(std::move(closers), limit);
  report({{"event", "closed"}});
}

} // namespace merpati::bench
