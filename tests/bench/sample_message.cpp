#include "tests/bench/sample_message.hpp"

#include <array>

namespace merpati::bench {

namespace {

constexpr std::array<std::string_view, 6> names{"Ayu Lestari",   "Bram de Vries", "Chidi Okafor",
                                                "Dana Ferreira", "Emre Yilmaz",   "Freya Holm"};
constexpr std::array<std::string_view, 5> subjects{
    "Minutes of the weekly meeting", "=?utf-8?q?Angebot_f=C3=BCr_die_Lieferung?=", "Re: invoice and delivery note",
    "Fwd: travel dates in May", "Question about the shared calendar"};
constexpr std::array<std::string_view, 7> days{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

std::string two_digits(std::uint64_t number) {
  return std::string{static_cast<char>('0' + number / 10 % 10), static_cast<char>('0' + number % 10)};
}

// Four weeks of May 2023, which began on a Monday.
std::string date_of(std::uint64_t serial) {
  const auto day = serial / 86'400 % 28;
  std::string date(days[day % days.size()]);
  date +=
      ", " + two_digits(day + 1) + " May 2023 " + two_digits(serial / 3600 % 24) + ':' + two_digits(serial / 60 % 60);
  return date + ':' + two_digits(serial % 60) + " +0200";
}

constexpr std::size_t line_length = 72;

// Lines of text for all messages, made once; each message takes them from another place on.
class text_pool {
public:
  text_pool() {
    std::uint64_t state = 1;
    for (auto& line : lines_) {
      for (std::size_t i = 0; i < line_length; ++i) {
        state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
        const auto pick = static_cast<unsigned>(state >> 58U);
        line += i != 0 && pick < 10 ? ' ' : static_cast<char>('a' + pick % 26);
      }
    }
  }
  const std::string& line(std::uint64_t number) const { return lines_[number % lines_.size()]; }

private:
  std::array<std::string, 1009> lines_;
};

void append_line(std::string& text, std::string_view line) {
  text += line;
  text += "\r\n";
}

} // namespace

std::string sample_message(std::uint64_t serial, std::string_view run, std::string_view recipient,
                           std::size_t size_bytes) {
  const auto id = std::to_string(serial) + '.' + std::string(run) + "@client.bench.example";
  const auto& sender = names[serial % names.size()];
  std::string text;
  text.reserve(size_bytes + 80);
  text += "From: " + std::string(sender) + " <sender" + std::to_string(serial % 97) + "@elsewhere.example>\r\n";
  text += "To: <" + std::string(recipient) + ">\r\n";
  if (serial % 3 == 0)
    text += "Cc: \"Team, whole\" <team@elsewhere.example>, " + std::string(names[(serial + 1) % names.size()])
            + " <copy@elsewhere.example>\r\n";
  text += "Subject: " + std::string(subjects[serial % subjects.size()]) + " #" + std::to_string(serial) + "\r\n";
  text += "Date: " + date_of(serial) + "\r\nMessage-ID: <" + id + ">\r\n";
  if (serial % 2 == 0)
    text += "In-Reply-To: <" + std::to_string(serial / 2) + ".thread@elsewhere.example>\r\nReferences: <"
            + std::to_string(serial / 2) + ".thread@elsewhere.example>\r\n";
  text += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n"
          "User-Agent: Bench/1.0\r\n\r\n";
  static const text_pool pool;
  auto line = serial * 7;
  while (text.size() + 2 * (line_length + 2) <= size_bytes)
    append_line(text, pool.line(line++));
  // The rest as one or two lines, neither longer than an ordinary one nor shorter than its line end.
  const auto rest = size_bytes - text.size();
  const auto first = rest > line_length + 2 ? rest / 2 : rest;
  append_line(text, std::string_view(pool.line(line)).substr(0, first - 2));
  if (first != rest)
    append_line(text, std::string_view(pool.line(line + 1)).substr(0, rest - first - 2));
  return text;
}

} // namespace merpati::bench
