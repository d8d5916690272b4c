#include "actors/policy/greylist_file.hpp"

#include <fstream>

#include "base/replace_file.hpp"

namespace merpati::policy {

result<std::string> load_greylist(const std::filesystem::path& file) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(file, problem);
  if (problem == std::errc::no_such_file_or_directory)
    return std::string();
  if (problem)
    return fail(errc::unavailable, file.string() + ": " + problem.message());
  if (size > greylist_file_max_bytes)
    return fail(errc::too_big, file.string() + " is larger than greylisting ever makes it");
  std::string content(size, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!in.is_open() || in.bad())
    return fail(errc::unavailable, file.string() + " can't be read");
  content.resize(static_cast<std::size_t>(in.gcount()));
  return content;
}

result<void> save_greylist(const std::filesystem::path& file, const std::string& content) {
  return replace_file(file, content, 0600, file_life::through_power_cut);
}

} // namespace merpati::policy
