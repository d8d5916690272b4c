// Python's email package as a second opinion on the structure: compare_with_python.py reads what is dumped here.
#include <cstdlib>

#include <unistd.h>

#include "protocols/mime/parser.hpp"
#include "tests/protocols/mime/corpus.hpp"

using namespace merpati::mime;
using namespace merpati::mime::test;

namespace {

void dump(const part& p, int level, std::ostream& out) {
  out << level << ' ' << p.type << '/' << p.subtype << ' ' << p.children.size() << ' ' << p.body_begin << ' '
      << p.body_end << '\n';
  for (const auto& child : p.children)
    dump(child, level + 1, out);
}

} // namespace

TEST_CASE("python's email package sees the same parts") {
  if (std::system("python3 -c 'import email.parser' > /dev/null 2>&1") != 0) {
    WARN("SKIPPED: no python3");
    return;
  }
  const auto path = std::filesystem::temp_directory_path() / ("merpati_mime_" + std::to_string(getpid()) + ".txt");
  {
    std::ofstream out(path, std::ios::binary);
    for (const auto& s : corpus()) {
      out << "file " << s.path.string() << '\n';
      dump(parse(s.octets).root, 0, out);
    }
  }
  const auto command =
      "python3 " MERPATI_SOURCE_DIR "/tests/protocols/mime/compare_with_python.py '" + path.string() + "'";
  CHECK(std::system(command.c_str()) == 0);
  std::filesystem::remove(path);
}
