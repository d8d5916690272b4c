#include "main/report.hpp"

#include <iostream>

namespace merpati {

int complain(const std::string& what) {
  std::cerr << "merpati: " << what << std::endl;
  return exit_failed;
}

std::optional<config::settings> load_settings(const std::filesystem::path& config) {
  auto settings = config::load(config);
  if (settings)
    return std::move(*settings);
  for (const auto& p : settings.error())
    std::cerr << config::to_string(p) << '\n';
  std::cerr << std::flush;
  return std::nullopt;
}

int finish(const result<void>& done, const std::string& text) {
  if (!done)
    return complain(done.error().what);
  std::cout << text << std::endl;
  return exit_done;
}

} // namespace merpati
