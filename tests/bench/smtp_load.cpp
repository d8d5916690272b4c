#include "tests/bench/smtp_load.hpp"

#include "tests/bench/load_report.hpp"
#include "tests/bench/sample_message.hpp"

#include <memory>

#include <nlohmann/json.hpp>

namespace merpati::bench {

namespace {

// How often a mailbox is asked whether its mail has arrived: below the error that matters, above what would be load.
constexpr auto poll_interval = std::chrono::milliseconds(10);

struct smtp_run {
  const smtp_load_options* options;
  event_loop* loop;
  const tls_client* tls;
  std::uint64_t next = 0;
  std::uint64_t accepted = 0;
  latency_record latency;
};

// Reads a reply of one or more lines and gives the code of the last; throws unless it begins with `expected`.
task<void> expect_reply(client_stream* stream, char expected, const char* what) {
  while (true) {
    const auto line = co_await stream->line();
    if (line.size() < 3 || line[0] != expected)
      throw load_error(std::string("SMTP ") + what + ": " + std::string(line));
    if (line.size() == 3 || line[3] == ' ')
      co_return;
  }
}

task<void> open_session(smtp_run* run, client_stream* stream) {
  co_await stream->connect(run->options->smtp_port, nullptr);
  co_await expect_reply(stream, '2', "greeting");
  co_await stream->write("EHLO client.bench.example\r\n");
  co_await expect_reply(stream, '2', "EHLO");
  if (!run->options->starttls)
    co_return;
  co_await stream->write("STARTTLS\r\n");
  co_await expect_reply(stream, '2', "STARTTLS");
  co_await stream->start_tls(run->tls);
  co_await stream->write("EHLO client.bench.example\r\n");
  co_await expect_reply(stream, '2', "EHLO");
}

task<void> send_message(smtp_run* run, client_stream* stream, std::uint64_t serial) {
  const auto& options = *run->options;
  const auto recipient = options.accounts.address(serial % options.users);
  const auto mail = "MAIL FROM:<sender" + std::to_string(serial % 97) + "@elsewhere.example>\r\n";
  const auto rcpt = "RCPT TO:<" + recipient + ">\r\n";
  const auto body = sample_message(serial, options.run, recipient, options.size_bytes) + ".\r\n";
  const auto started = steady::now();
  if (options.pipelining) {
    const auto commands = mail + rcpt + "DATA\r\n";
    co_await stream->write(commands);
    co_await expect_reply(stream, '2', "MAIL");
    co_await expect_reply(stream, '2', "RCPT");
  } else {
    co_await stream->write(mail);
    co_await expect_reply(stream, '2', "MAIL");
    co_await stream->write(rcpt);
    co_await expect_reply(stream, '2', "RCPT");
    co_await stream->write("DATA\r\n");
  }
  co_await expect_reply(stream, '3', "DATA");
  co_await stream->write(body);
  co_await expect_reply(stream, '2', "end of data");
  run->latency.add(steady::now() - started);
  ++run->accepted;
}

task<void> sender(smtp_run* run) {
  client_stream stream(*run->loop);
  const auto& options = *run->options;
  while (run->next < options.messages) {
    co_await open_session(run, &stream);
    for (std::uint64_t i = 0; i < options.messages_per_session && run->next < options.messages; ++i)
      co_await send_message(run, &stream, run->next++);
    co_await stream.write("QUIT\r\n");
    co_await expect_reply(&stream, '2', "QUIT");
    stream.close();
  }
}

// One reader per recipient, logged in before the clock starts: looking must not cost what is being measured.
struct mailbox_watch {
  std::unique_ptr<imap_client> client;
  std::uint64_t user = 0;
  std::uint64_t expected = 0;
};

task<void> prepare_watch(smtp_run* run, mailbox_watch* watch) {
  const auto& options = *run->options;
  co_await watch->client->login(options.imap_port, nullptr, options.accounts.address(watch->user),
                                options.accounts.password);
  const auto before = co_await watch->client->message_count("INBOX");
  const auto share = options.messages / options.users + (watch->user < options.messages % options.users ? 1 : 0);
  watch->expected = before + share;
}

// One mailbox is asked at a time: the others fill meanwhile, and a hundred questions a second are no load.
task<void> wait_until_visible(smtp_run* run, std::vector<mailbox_watch>* watches) {
  for (auto& watch : *watches) {
    auto count = co_await watch.client->message_count("INBOX");
    while (count < watch.expected) {
      co_await run->loop->sleep(poll_interval);
      count = co_await watch.client->message_count("INBOX");
    }
    if (count > watch.expected)
      throw load_error("more messages in " + run->options->accounts.address(watch.user) + " than were sent");
  }
}

task<void> close_watch(mailbox_watch* watch) {
  co_await watch->client->logout();
}

template <class Make>
std::vector<task<void>> for_each_watch(std::vector<mailbox_watch>& watches, Make make) {
  std::vector<task<void>> tasks;
  tasks.reserve(watches.size());
  for (auto& watch : watches)
    tasks.push_back(make(&watch));
  return tasks;
}

} // namespace

void run_smtp_load(const smtp_load_options& options) {
  event_loop loop;
  tls_client tls;
  smtp_run run{&options, &loop, &tls, 0, 0, {}};
  const auto limit = std::chrono::seconds(options.time_limit_s);

  std::vector<mailbox_watch> watches(options.imap_port != 0 ? std::min(options.users, options.messages) : 0);
  for (std::uint64_t i = 0; i < watches.size(); ++i) {
    watches[i].client = std::make_unique<imap_client>(loop, 4096);
    watches[i].user = i;
  }
  loop.run_all(for_each_watch(watches, [&](mailbox_watch* watch) { return prepare_watch(&run, watch); }), limit);

  report_and_wait({{"event", "ready"}});
  const auto cpu_before = own_cpu_seconds();
  const auto started = steady::now();
  std::vector<task<void>> senders;
  for (std::uint64_t i = 0; i < options.sessions; ++i)
    senders.push_back(sender(&run));
  loop.run_all(std::move(senders), limit);
  const std::chrono::duration<double> accepted_time = steady::now() - started;
  std::vector<task<void>> watchers;
  watchers.push_back(wait_until_visible(&run, &watches));
  loop.run_all(std::move(watchers), limit);
  const std::chrono::duration<double> visible_time = steady::now() - started;
  const auto cpu = own_cpu_seconds() - cpu_before;

  const auto count = static_cast<double>(run.accepted);
  report_and_wait({{"event", "done"},
                   {"messages", run.accepted},
                   {"accepted_s", accepted_time.count()},
                   {"visible_s", visible_time.count()},
                   {"accepted_per_s", count / accepted_time.count()},
                   {"messages_per_s", count / visible_time.count()},
                   {"latency", run.latency.summary()},
                   {"client_cpu_s", cpu}});
  loop.run_all(for_each_watch(watches, [&](mailbox_watch* watch) { return close_watch(watch); }), limit);
}

} // namespace merpati::bench
