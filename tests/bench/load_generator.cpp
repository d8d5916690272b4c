// The program that loads a mail server: `load_generator smtp|fill|fetch|idle ...`, driven by tests/bench/run. It speaks
// one JSON object a line on standard output and waits for a line on standard input where load_report.hpp says so.
#include "tests/bench/imap_load.hpp"
#include "tests/bench/smtp_load.hpp"

#include <csignal>
#include <iostream>

#include <CLI/CLI.hpp>
#include <sys/resource.h>

namespace {

using namespace merpati::bench;

void add_account_options(CLI::App& command, account_names& accounts) {
  command.add_option("--user-prefix", accounts.prefix);
  command.add_option("--domain", accounts.domain);
  command.add_option("--password", accounts.password);
}

void add_smtp(CLI::App& program, smtp_load_options& options) {
  auto& command = *program.add_subcommand("smtp", "send messages until all are in their mailboxes");
  command.add_option("--smtp-port", options.smtp_port)->required();
  command.add_option("--imap-port", options.imap_port);
  command.add_option("--sessions", options.sessions)->check(CLI::Range(1, 10'000));
  command.add_option("--messages", options.messages)->check(CLI::Range(1, 10'000'000));
  command.add_option("--messages-per-session", options.messages_per_session)->check(CLI::Range(1, 1'000'000));
  command.add_option("--users", options.users)->check(CLI::Range(1, 10'000));
  command.add_option("--size", options.size_bytes)->check(CLI::Range(1000, 100'000'000));
  command.add_flag("--pipelining", options.pipelining);
  command.add_flag("--starttls", options.starttls);
  command.add_option("--time-limit", options.time_limit_s);
  command.add_option("--run", options.run);
  add_account_options(command, options.accounts);
}

void add_imap(CLI::App& program, imap_load_options& options) {
  auto& fill = *program.add_subcommand("fill", "APPEND until the mailbox holds enough");
  auto& fetch = *program.add_subcommand("fetch", "FETCH 1:*");
  auto& idle = *program.add_subcommand("idle", "hold idle TLS sessions");
  for (auto* command : {&fill, &fetch}) {
    command->add_option("--imap-port", options.imap_port)->required();
    command->add_option("--user", options.user);
    command->add_option("--messages", options.messages)->check(CLI::Range(1, 10'000'000));
  }
  fill.add_option("--size", options.size_bytes)->check(CLI::Range(1000, 100'000'000));
  fill.add_option("--connections", options.connections)->check(CLI::Range(1, 64));
  fetch.add_option("--items", options.items);
  fetch.add_option("--rounds", options.rounds)->check(CLI::Range(1, 1000));
  idle.add_option("--imaps-port", options.imaps_port)->required();
  idle.add_option("--sessions", options.sessions)->check(CLI::Range(2, 100'000));
  idle.add_option("--users", options.users)->check(CLI::Range(1, 10'000));
  for (auto* command : {&fill, &fetch, &idle}) {
    command->add_option("--mailbox", options.mailbox);
    command->add_option("--time-limit", options.time_limit_s);
    add_account_options(*command, options.accounts);
  }
}

// A descriptor per session, up to what the machine allows.
void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  CLI::App program("Loads a mail server on 127.0.0.1 and measures it");
  program.require_subcommand(1);
  smtp_load_options smtp;
  imap_load_options imap;
  add_smtp(program, smtp);
  add_imap(program, imap);
  CLI11_PARSE(program, argc, argv);
  try {
    if (program.got_subcommand("smtp"))
      run_smtp_load(smtp);
    else if (program.got_subcommand("fill"))
      run_fill(imap);
    else if (program.got_subcommand("fetch"))
      run_fetch(imap);
    else
      run_idle(imap);
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "load_generator: " << problem.what() << '\n';
    return 1;
  }
}
