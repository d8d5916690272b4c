#include "main/run_files.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.hpp"
#include "base/replace_file.hpp"

namespace merpati {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

result<void> make_private_folder(const fs::path& folder) {
  std::error_code ec;
  fs::create_directories(folder.parent_path(), ec);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(errc::unavailable, "folder " + folder.string() + " can't be made: " + std::strerror(errno));
  if (!fs::is_directory(folder, ec))
    return fail(errc::unavailable, folder.string() + " is no folder");
  return {};
}

json to_json(const run_state& state) {
  json out;
  out["pid"] = state.pid;
  out["listeners"] = json::array();
  for (const auto& l : state.listeners)
    out["listeners"].push_back({{"kind", config::to_string(l.kind)}, {"address", l.address}, {"port", l.port}});
  if (state.admin)
    out["admin"] = {{"address", state.admin->address}, {"port", state.admin->port}};
  return out;
}

run_state from_json(const json& in) {
  run_state out;
  out.pid = in.at("pid").get<std::int64_t>();
  for (const auto& l : in.at("listeners")) {
    auto kind = config::listener_kind_named(l.at("kind").get<std::string>());
    if (kind)
      out.listeners.push_back({*kind, l.at("address").get<std::string>(), l.at("port").get<std::uint16_t>()});
  }
  if (in.contains("admin"))
    out.admin =
        admin_place{in.at("admin").at("address").get<std::string>(), in.at("admin").at("port").get<std::uint16_t>()};
  return out;
}

} // namespace

result<void> run_files::make_folders() const {
  if (auto made = make_private_folder(folder_.parent_path()); !made)
    return made;
  return make_private_folder(folder_);
}

result<std::string> run_files::make_token() const {
  auto token = crypto::random_text(32);
  if (auto done = replace_file(folder_ / "admin.token", token + "\n", 0600, file_life::until_reboot); !done)
    return tl::unexpected(done.error());
  return token;
}

result<void> run_files::publish(const run_state& state) const {
  return replace_file(folder_ / "ports.json", to_json(state).dump() + "\n", 0644, file_life::until_reboot);
}

void run_files::remove() const noexcept {
  ::unlink((folder_ / "ports.json").c_str());
  ::unlink((folder_ / "admin.token").c_str());
}

std::optional<run_state> run_files::find() const {
  std::ifstream in(folder_ / "ports.json");
  if (!in)
    return std::nullopt;
  try {
    auto state = from_json(json::parse(in));
    // EPERM: it runs, as another user.
    if (state.pid > 0 && (::kill(static_cast<pid_t>(state.pid), 0) == 0 || errno == EPERM))
      return state;
  } catch (const json::exception&) {
    // Not ours, or half of it: as good as none. Whoever holds the store is told by the store's lock.
  }
  return std::nullopt;
}

result<std::string> run_files::token() const {
  std::ifstream in(folder_ / "admin.token");
  std::string token;
  if (!std::getline(in, token) || token.empty())
    return fail(errc::not_permitted, "the daemon's token " + (folder_ / "admin.token").string()
                                         + " can't be read; run this as root or as the daemon's user");
  return token;
}

} // namespace merpati
