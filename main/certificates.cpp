#include "main/certificates.hpp"

#include <fstream>

namespace merpati {

namespace {

/// Chains have a few KB for each certificate.
constexpr std::size_t pem_max_bytes = 1'048'576;

result<std::string> read_pem(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return fail(errc::unavailable, file.string() + " can't be read; check that it exists and who may read it");
  std::string text(pem_max_bytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

} // namespace

result<std::vector<tls::certificate_source>> read_certificates(const config::tls_settings& settings) {
  std::vector<tls::certificate_source> out;
  for (const auto& c : settings.certificates) {
    auto chain = read_pem(c.chain);
    if (!chain)
      return tl::unexpected(chain.error());
    auto key = read_pem(c.key);
    if (!key)
      return tl::unexpected(key.error());
    tls::certificate_source source;
    source.chain_pem = std::move(*chain);
    source.key_pem = std::move(*key);
    source.chain_label = c.chain.string();
    source.key_label = c.key.string();
    if (!c.name.empty())
      source.names.push_back(c.name);
    out.push_back(std::move(source));
  }
  return out;
}

} // namespace merpati
