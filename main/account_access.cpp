#include "main/account_access.hpp"

#include "main/report.hpp"
#include "main/run_files.hpp"
#include "main/srs_secret.hpp"
#include "main/store_layout.hpp"

namespace merpati {

result<account_access> account_access::open(const config::settings& settings) {
  account_access out;
  run_files files(settings.data_dir);
  if (auto running = files.find()) {
    if (!running->admin)
      return fail(errc::unavailable,
                  "the daemon runs with its admin port off; stop it first, or set enabled = true in [admin]");
    auto token = files.token();
    if (!token)
      return tl::unexpected(token.error());
    out.client_ = std::make_unique<admin::client>(running->admin->address, running->admin->port, *token);
    return out;
  }
  // Accounts can be made before the first start.
  if (auto ready = files.make_folders(); !ready)
    return tl::unexpected(ready.error());
  auto secrets = srs_secrets(settings.data_dir);
  if (!secrets)
    return tl::unexpected(secrets.error());
  auto shards = open_shards(settings);
  if (!shards) {
    if (shards.error().code == errc::in_use)
      return fail(errc::in_use,
                  shards.error().what + "; if the daemon is just starting or stopping, try again in a moment");
    return tl::unexpected(shards.error());
  }
  out.shards_ = std::move(*shards);
  out.directory_ = std::make_unique<mail::directory>(mail::direct_store(out.shards_));
  out.book_ = std::make_unique<mail::address_book>(mail::direct_store(out.shards_), std::move(*secrets));
  out.queue_ = std::make_unique<mail::queue_control>(mail::direct_store(out.shards_));
  return out;
}

int with_access(const std::filesystem::path& config,
                const std::function<int(const config::settings&, const account_access&)>& act) {
  auto settings = load_settings(config);
  if (!settings)
    return exit_failed;
  auto access = account_access::open(*settings);
  if (!access)
    return complain(access.error().what);
  return act(*settings, *access);
}

} // namespace merpati
