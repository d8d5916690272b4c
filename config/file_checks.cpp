// Whether the files that settings name are what they should be.
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "config/settings.hpp"

namespace merpati::config {

namespace {

/// Chains have a few KB for each certificate; a file beyond this is none.
constexpr std::size_t pem_max_bytes = 1'048'576;

class file_checker {
public:
  explicit file_checker(const settings& s) : settings_(s) {}

  problems run() {
    for (const auto& c : settings_.tls.certificates) {
      check_chain(c);
      check_key(c);
    }
    check_data_dir();
    return std::move(found_);
  }

private:
  void add(std::size_t line, std::string what, std::string remedy) {
    found_.push_back({settings_.file.string(), line, std::move(what), std::move(remedy)});
  }

  /// The content of a PEM file, or nothing after a report.
  std::optional<std::string> read_pem(const std::filesystem::path& path, std::size_t line, std::string_view what) {
    auto name = std::string(what) + " " + path.string();
    std::error_code ec;
    auto status = std::filesystem::status(path, ec);
    if (!std::filesystem::is_regular_file(status)) {
      add(line, name + (std::filesystem::exists(status) ? " is no file" : " does not exist"),
          "correct the path; a relative one starts at the folder of this file");
      return std::nullopt;
    }
    std::ifstream in(path, std::ios::binary);
    if (!in.is_open()) {
      add(line, name + " can't be read", "let the daemon's user read it: check its owner, its group and its mode");
      return std::nullopt;
    }
    std::string text(pem_max_bytes, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
  }

  void check_chain(const certificate& c) {
    auto text = read_pem(c.chain, c.line, "certificate");
    if (text && text->find("-----BEGIN CERTIFICATE-----") == std::string::npos)
      add(c.line, "certificate " + c.chain.string() + " holds no PEM certificate",
          "name the file that begins with -----BEGIN CERTIFICATE-----");
  }

  void check_key(const certificate& c) {
    auto text = read_pem(c.key, c.line, "key");
    if (!text)
      return;
    if (text->find("PRIVATE KEY-----") == std::string::npos)
      add(c.line, "key " + c.key.string() + " holds no PEM private key",
          "name the file that holds -----BEGIN PRIVATE KEY-----");
    else if (text->find("ENCRYPTED") != std::string::npos)
      add(c.line, "key " + c.key.string() + " is encrypted with a pass phrase",
          "store it without one: openssl pkey -in KEY -out NEWKEY, mode 0600");
    struct stat info {};
    if (::stat(c.key.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0)
      add(c.line, "key " + c.key.string() + " can be read by everybody on this machine", "chmod 640 " + c.key.string());
  }

  void check_data_dir() {
    std::error_code ec;
    auto status = std::filesystem::status(settings_.data_dir, ec);
    if (std::filesystem::exists(status)) {
      if (!std::filesystem::is_directory(status))
        add(0, "data_dir " + settings_.data_dir.string() + " is no folder",
            "name a folder, or one that does not exist yet");
      else if (::access(settings_.data_dir.c_str(), R_OK | W_OK | X_OK) != 0)
        add(0, "data_dir " + settings_.data_dir.string() + " can't be written",
            "give it to the daemon's user with chown");
    }
  }

  const settings& settings_;
  problems found_;
};

} // namespace

problems check_files(const settings& s) {
  return file_checker(s).run();
}

} // namespace merpati::config
