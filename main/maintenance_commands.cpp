// check-config, fsck and reload.
#include <iostream>

#include <unistd.h>

#include "actors/admin/admin_client.hpp"
#include "main/certificates.hpp"
#include "main/commands.hpp"
#include "main/report.hpp"
#include "main/run_files.hpp"
#include "main/store_layout.hpp"
#include "protocols/mime/summary.hpp"
#include "protocols/tls/context.hpp"

namespace merpati {

int check_config(const std::filesystem::path& config) {
  auto settings = load_settings(config);
  if (!settings)
    return exit_failed;
  auto found = config::check_files(*settings);
  for (const auto& p : found)
    std::cerr << config::to_string(p) << '\n';
  if (!found.empty())
    return exit_failed;
  if (settings->tls.enabled()) {
    // The last word on a certificate and its key has the library that will use them.
    auto sources = read_certificates(settings->tls);
    if (!sources)
      return complain(sources.error().what);
    if (auto context = tls::server_context::create(std::move(*sources)); !context)
      return complain(context.error().what);
  }
  std::cout << "ok\n" << config::describe(*settings) << std::flush;
  return exit_done;
}

int reload(const std::filesystem::path& config) {
  auto settings = load_settings(config);
  if (!settings)
    return exit_failed;
  run_files files(settings->data_dir);
  auto running = files.find();
  if (!running)
    return complain("no daemon runs with this configuration; it reads its certificates when it starts");
  if (!running->admin)
    return complain("the daemon's admin port is off; send it SIGHUP: kill -HUP " + std::to_string(running->pid));
  auto token = files.token();
  if (!token)
    return complain(token.error().what);
  admin::client daemon(running->admin->address, running->admin->port, *token);
  if (auto done = daemon.reload(); !done)
    return complain(done.error().what);
  std::cout << "certificates read anew" << std::endl;
  return exit_done;
}

namespace {

void print_report(std::uint32_t shard, const storage::fsck_report& report) {
  std::cout << "shard " << shard << ": " << report.messages << " messages, " << report.bodies << " bodies, "
            << report.findings.size() << (report.findings.size() == 1 ? " finding\n" : " findings\n");
  for (const auto& f : report.findings)
    std::cout << "  " << f.where << ": " << f.what << (f.repaired ? " (repaired)" : "") << '\n';
  std::cout << std::flush;
}

} // namespace

int fsck(const std::filesystem::path& config, storage::fsck_mode mode) {
  auto settings = load_settings(config);
  if (!settings)
    return exit_failed;
  auto summarise = [](std::string_view message) { return mime::summarise(message); };
  bool clean = true;
  for (std::uint32_t index = 0; index < shards_per_node; ++index) {
    auto options = shard_options_of(*settings, index);
    std::error_code ec;
    if (!std::filesystem::exists(options.folder, ec)) {
      std::cout << "shard " << index << ": not made yet\n";
      continue;
    }
    storage::progress_function progress;
    if (::isatty(STDERR_FILENO))
      progress = [index](double done) {
        std::cerr << "\rshard " << index << ": " << static_cast<int>(done * 100) << " %   " << std::flush;
      };
    auto report = storage::fsck(options, mode, summarise, progress);
    if (progress)
      std::cerr << '\r';
    if (!report)
      return complain("shard " + std::to_string(index) + ": " + report.error().what);
    print_report(index, *report);
    for (const auto& f : report->findings)
      clean = clean && f.repaired;
  }
  if (!clean && mode == storage::fsck_mode::verify)
    return complain("something is damaged; back up data_dir, then run merpati fsck --repair");
  if (!clean)
    return complain("not all could be repaired; merpati fsck --salvage saves every record that can still be read");
  return exit_done;
}

} // namespace merpati
