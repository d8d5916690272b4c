// load() and check_files(): what depends on the file system.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/settings.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
namespace fs = std::filesystem;

namespace {

/// A folder that goes away with the test.
class scratch_folder {
public:
  scratch_folder() {
    std::string pattern = (fs::temp_directory_path() / "merpati-config-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~scratch_folder() {
    std::error_code ec;
    fs::remove_all(path_, ec);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  fs::path write(const std::string& name, const std::string& content, fs::perms mode = fs::perms::owner_read) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    fs::permissions(path_ / name, mode);
    return path_ / name;
  }
  const fs::path& path() const { return path_; }

private:
  fs::path path_;
};

std::vector<std::string> texts(const config::problems& found) {
  std::vector<std::string> out;
  for (const auto& p : found)
    out.push_back(std::to_string(p.line) + ": " + p.what);
  return out;
}

const std::string cert = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const std::string key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
const std::string locked_key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";

config::settings settings_in(const scratch_folder& folder) {
  auto s = config::parse(R"(hostname = "a.example"
data_dir = "data"
[tls]
certificate = "cert.pem"
key = "key.pem"
[[listener]]
kind = "smtp"
address = "::1"
)",
                         folder.path() / "m.toml");
  REQUIRE(s);
  return *s;
}

} // namespace

TEST_CASE("a configuration that can't be read says why") {
  scratch_folder folder;
  auto problem_of = [](const fs::path& file) {
    auto s = config::load(file);
    REQUIRE(!s);
    REQUIRE(s.error().size() == 1);
    CHECK(s.error()[0].line == 0);
    return s.error()[0].what;
  };
  CHECK(problem_of(folder.path() / "absent.toml") == "there is no such file");
  CHECK(problem_of(folder.path()) == "this is no file");
  CHECK(problem_of("/dev/zero") == "this is no file");
  CHECK(problem_of(folder.write("big.toml", std::string(1'048'577, '#'))) == "the file is larger than 1 MiB");
}

TEST_CASE("paths are taken against the configuration's folder") {
  scratch_folder folder;
  auto file = folder.write(
      "m.toml", "hostname = \"a.b\"\ndata_dir = \"../x/data\"\n[[listener]]\nkind = \"smtp\"\naddress = \"::1\"\n");
  auto s = config::load(file);
  REQUIRE(s);
  CHECK(s->data_dir == folder.path().parent_path() / "x/data");
  CHECK(s->file == file);
}

TEST_CASE("certificate files are looked at") {
  scratch_folder folder;
  auto s = settings_in(folder);
  auto at = [&](const char* name) { return (folder.path() / name).string(); };
  CHECK(texts(config::check_files(s))
        == std::vector<std::string>{"3: certificate " + at("cert.pem") + " does not exist",
                                    "3: key " + at("key.pem") + " does not exist"});
  folder.write("cert.pem", key);
  folder.write("key.pem", cert);
  CHECK(texts(config::check_files(s))
        == std::vector<std::string>{"3: certificate " + at("cert.pem") + " holds no PEM certificate",
                                    "3: key " + at("key.pem") + " holds no PEM private key"});
  fs::remove(folder.path() / "cert.pem");
  fs::remove(folder.path() / "key.pem");
  folder.write("cert.pem", cert);
  folder.write("key.pem", locked_key, fs::perms::owner_read | fs::perms::others_read);
  CHECK(texts(config::check_files(s))
        == std::vector<std::string>{"3: key " + at("key.pem") + " is encrypted with a pass phrase",
                                    "3: key " + at("key.pem") + " can be read by everybody on this machine"});
  fs::remove(folder.path() / "key.pem");
  folder.write("key.pem", key);
  CHECK(config::check_files(s).empty());
}

TEST_CASE("a data folder that can't be one is told") {
  scratch_folder folder;
  auto s = settings_in(folder);
  folder.write("cert.pem", cert);
  folder.write("key.pem", key);
  folder.write("data", "a file");
  CHECK(texts(config::check_files(s))
        == std::vector<std::string>{"0: data_dir " + s.data_dir.string() + " is no folder"});
}
