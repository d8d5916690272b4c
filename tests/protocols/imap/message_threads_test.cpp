#include "protocols/imap/message_threads.hpp"

#include "protocols/imap/message_sort.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::imap;

namespace {

struct letter {
  std::string id;
  std::string references;
  std::string subject;
  int minute = 0;
};

std::string text_of(const letter& l) {
  std::string out;
  if (!l.id.empty())
    out += "Message-ID: <" + l.id + "@x>\r\n";
  if (!l.references.empty())
    out += "References: " + l.references + "\r\n";
  const auto minute = std::to_string(100 + l.minute % 60).substr(1);
  const auto hour = std::to_string(100 + l.minute / 60).substr(1);
  return out + "Subject: " + l.subject + "\r\nDate: Mon, 23 Nov 2026 " + hour + ":" + minute + ":00 +0000\r\n\r\n";
}

std::string threads(const std::vector<letter>& letters, thread_algorithm how = thread_algorithm::references) {
  message_threads builder(how);
  std::uint32_t number = 0;
  for (const auto& each : letters) {
    const auto octets = mime::summarise(text_of(each));
    message_item item;
    item.id = uid{++number};
    builder.add(number, item, mime::summary_view::open(octets).value());
  }
  std::string out;
  std::move(builder).write(out);
  return out.substr(0, out.size() - 2);
}

std::vector<std::uint32_t> sorted(const std::vector<std::string>& messages, std::vector<sort_key> by) {
  message_sorter sorter(std::move(by));
  std::uint32_t number = 0;
  for (const auto& each : messages) {
    const auto octets = mime::summarise(each);
    message_item item;
    item.id = uid{++number};
    item.size_bytes = each.size();
    item.internal_date = timestamp(std::chrono::hours(1'000 - number));
    sorter.add(number, item, mime::summary_view::open(octets).value());
  }
  return std::move(sorter).sorted();
}

using numbers = std::vector<std::uint32_t>;
using kind = sort_key::kind;

} // namespace

TEST_CASE("answers stand below what they answer") {
  CHECK(threads({}) == "* THREAD");
  CHECK(threads({{"a", "", "one", 1}}) == "* THREAD (1)");
  CHECK(threads({{"a", "", "one", 1}, {"b", "<a@x>", "Re: one", 2}, {"c", "<a@x> <b@x>", "Re: one", 3}})
        == "* THREAD (1 2 3)");
  CHECK(threads({{"a", "", "one", 1}, {"b", "<a@x>", "Re: one", 3}, {"c", "<a@x>", "Re: one", 2}})
        == "* THREAD (1 (3)(2))");
  // The shape of the example of RFC 5256: two branches of which one goes deeper.
  CHECK(threads({{"3", "", "s", 1},
                 {"6", "<3@x>", "s", 2},
                 {"4", "<3@x> <6@x>", "s", 3},
                 {"23", "<4@x>", "s", 4},
                 {"44", "<3@x> <6@x>", "s", 5},
                 {"7", "<44@x>", "s", 6},
                 {"96", "<7@x>", "s", 7}})
        == "* THREAD (1 2 (3 4)(5 6 7))");
}

TEST_CASE("messages that are not among those found leave a place only where two answer them") {
  CHECK(threads({{"b", "<gone@x>", "Re: one", 1}}) == "* THREAD (1)");
  CHECK(threads({{"b", "<gone@x>", "Re: one", 1}, {"c", "<gone@x>", "Re: one", 2}}) == "* THREAD ((1)(2))");
  CHECK(threads({{"b", "<gone@x> <away@x>", "Re: one", 2}, {"c", "<gone@x> <lost@x>", "Re: one", 1}})
        == "* THREAD ((2)(1))");
  CHECK(threads({{"a", "", "one", 1}, {"c", "<a@x> <gone@x>", "Re: one", 2}}) == "* THREAD (1 2)");
}

TEST_CASE("threads of one subject are one (RFC 5256, step 5)") {
  CHECK(threads({{"a", "", "one", 1}, {"b", "", "Re: one", 2}}) == "* THREAD (1 2)");
  CHECK(threads({{"a", "", "Re: one", 1}, {"b", "", "one", 2}}) == "* THREAD (2 1)");
  CHECK(threads({{"a", "", "one", 1}, {"b", "", "ONE", 2}}) == "* THREAD ((1)(2))");
  CHECK(threads({{"a", "", "one", 1}, {"b", "", "one", 2}, {"c", "", "Re: [list] one", 3}}) == "* THREAD ((1)(2)(3))");
  CHECK(threads({{"b", "<gone@x>", "Re: one", 1}, {"c", "<gone@x>", "Re: one", 2}, {"d", "", "Re: one", 3}})
        == "* THREAD ((1)(2)(3))");
  CHECK(threads({{"a", "", "", 1}, {"b", "", "", 2}}) == "* THREAD (1)(2)");
}

TEST_CASE("nonsense in references makes no circles and loses nobody") {
  CHECK(threads({{"a", "<a@x>", "one", 1}}) == "* THREAD (1)");
  CHECK(threads({{"a", "<b@x>", "one", 1}, {"b", "<a@x>", "two", 2}}) == "* THREAD (2 1)");
  CHECK(threads({{"a", "", "one", 1}, {"a", "", "two", 2}, {"", "<a@x>", "three", 3}}) == "* THREAD (1 3)(2)");
  CHECK(threads({{"a", "<c@x> <b@x>", "one", 1}, {"b", "<a@x> <c@x>", "two", 2}, {"c", "<b@x> <a@x>", "three", 3}})
            .find("1")
        != std::string::npos);
}

TEST_CASE("ORDEREDSUBJECT goes by subjects and dates alone") {
  CHECK(threads({{"a", "", "two", 5}, {"b", "", "one", 2}, {"c", "<a@x>", "Re: one", 3}, {"d", "", "Fwd: ONE", 4}},
                thread_algorithm::ordered_subject)
        == "* THREAD (2 (3)(4))(1)");
  CHECK(threads({{"a", "", "one", 1}, {"b", "", "Re: one", 2}}, thread_algorithm::ordered_subject) == "* THREAD (1 2)");
}

TEST_CASE("a chain of a hundred thousand answers is a thread like any other") {
  std::vector<letter> chain;
  for (int i = 0; i != 100'000; ++i)
    chain.push_back({std::to_string(i), i == 0 ? "" : "<" + std::to_string(i - 1) + "@x>", "s", i % 1'000});
  const auto forwards = threads(chain);
  CHECK(forwards.starts_with("* THREAD (1 2 3 4 "));
  CHECK(std::count(forwards.begin(), forwards.end(), '(') == 1);
  std::reverse(chain.begin(), chain.end());
  const auto backwards = threads(chain);
  CHECK(std::count(backwards.begin(), backwards.end(), ' ') >= 100'000 - 1);
}

TEST_CASE("SORT by each key, and back to front") {
  const std::vector<std::string> messages{
      "From: Zoe <adam@example.org>\r\nTo: <b@x>\r\nCc: c@x\r\nSubject: Re: beta\r\nDate: Mon, 23 Nov 2026 12:00:00 "
      "+0200\r\n\r\n",
      "From: =?utf-8?q?=C3=84rzte?= <zeno@example.org>\r\nTo: A <c@x>\r\nSubject: alpha\r\nDate: Mon, 23 Nov 2026 "
      "11:00:00 +0000\r\n\r\nlonger",
      "From: bert@example.org\r\nSubject: BETA\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n\r\n",
  };
  CHECK(sorted(messages, {{kind::arrival}}) == numbers{3, 2, 1});
  CHECK(sorted(messages, {{kind::date}}) == numbers{3, 1, 2});
  CHECK(sorted(messages, {{kind::date, true}}) == numbers{2, 1, 3});
  CHECK(sorted(messages, {{kind::from}}) == numbers{1, 3, 2});
  CHECK(sorted(messages, {{kind::display_from}}) == numbers{2, 3, 1});
  CHECK(sorted(messages, {{kind::to}}) == numbers{3, 1, 2});
  CHECK(sorted(messages, {{kind::display_to}}) == numbers{3, 2, 1});
  CHECK(sorted(messages, {{kind::cc}}) == numbers{2, 3, 1});
  CHECK(sorted(messages, {{kind::subject}}) == numbers{2, 1, 3});
  CHECK(sorted(messages, {{kind::subject}, {kind::date}}) == numbers{2, 3, 1});
  CHECK(sorted(messages, {{kind::subject, true}, {kind::arrival}}) == numbers{3, 1, 2});
  CHECK(sorted(messages, {{kind::size, true}}).size() == 3);
}

TEST_CASE("what SORT says") {
  std::string out;
  commands::sort plain;
  write_sort_result("a", plain, {5, 2, 3}, 7, out);
  write_sort_result("a", plain, {}, 7, out);
  plain.key.what = search_key::kind::modseq;
  write_sort_result("a", plain, {5, 2, 3}, 7, out);
  CHECK(out == "* SORT 5 2 3\r\n* SORT\r\n* SORT 5 2 3 (MODSEQ 7)\r\n");
  out.clear();
  commands::sort extended;
  extended.extended = extended.uid = true;
  extended.returns = search_return::min | search_return::max | search_return::all | search_return::count;
  write_sort_result("a", extended, {5, 2, 3, 4, 9}, 7, out);
  write_sort_result("a", extended, {}, 7, out);
  CHECK(out == "* ESEARCH (TAG \"a\") UID MIN 5 MAX 9 ALL 5,2:4,9 COUNT 5\r\n* ESEARCH (TAG \"a\") UID COUNT 0\r\n");
}
