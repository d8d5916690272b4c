// What a running daemon leaves in <data_dir>/run for those who want to talk to it: ports.json and admin.token.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "main/daemon.hpp"

namespace merpati {

struct admin_place {
  std::string address;
  std::uint16_t port = 0;
};

/// The content of ports.json.
struct run_state {
  std::int64_t pid = 0;
  std::vector<bound_listener> listeners;
  std::optional<admin_place> admin; ///< nothing: switched off
};

class run_files {
public:
  explicit run_files(const std::filesystem::path& data_dir) : folder_(data_dir / "run") {}

  /// Makes data_dir and its run folder, both for the owner alone.
  result<void> make_folders() const;
  /// A new token, 160 bits, written with mode 0600.
  result<std::string> make_token() const;
  /// Whoever reads ports.json sees all of it or none of it.
  result<void> publish(const run_state& state) const;
  /// Takes back what this daemon, or one that crashed, has published. Only for whoever is the daemon.
  void remove() const noexcept;

  /// What a daemon that runs has published; nothing when there is none or its process is gone.
  std::optional<run_state> find() const;
  result<std::string> token() const;

private:
  std::filesystem::path folder_;
};

} // namespace merpati
