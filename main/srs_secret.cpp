#include "main/srs_secret.hpp"

#include <fstream>

#include "base/crypto.hpp"
#include "base/replace_file.hpp"

namespace merpati {

result<std::vector<std::string>> srs_secrets(const std::filesystem::path& data_dir) {
  const auto file = data_dir / "srs.secret";
  std::error_code ec;
  if (!std::filesystem::exists(file, ec))
    if (auto made = replace_file(file, crypto::random_text(32) + "\n", 0600, file_life::through_power_cut); !made)
      return tl::unexpected(made.error());
  std::vector<std::string> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (!line.empty())
      out.push_back(std::move(line));
  if (out.empty())
    return fail(errc::unavailable, file.string()
                                       + " can't be read or is empty; it holds a secret a line. Without it, "
                                         "remove the file: a new secret is made, and bounces of forwarded "
                                         "mail that are under way are lost");
  return out;
}

} // namespace merpati
