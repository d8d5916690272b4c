// SORT and THREAD (RFC 5256, 5957), and SEARCH (RFC 9051 6.4.4) with RETURN (RFC 4731, 5182), WITHIN (5032), MODSEQ
// (7162), SAVEDATE (8514), OBJECTID (8474).
#include "base/ascii.hpp"
#include "protocols/imap/grammar.hpp"
#include "protocols/imap/mailbox_name.hpp"
#include "protocols/mime/decoder.hpp"

namespace merpati::imap::grammar {
namespace {

using kind = search_key::kind;

/// What follows a key's name.
enum class argument : std::uint8_t { none, text, header, keyword, date, number, seconds, uids, modseq, object_id };

struct key_row {
  std::string_view name;
  kind what;
  argument takes;
  std::uint64_t number = 0;
};

constexpr key_row keys[] = {
    {"ALL", kind::all, argument::none},
    {"ANSWERED", kind::flag, argument::none, flag::answered},
    {"BCC", kind::bcc, argument::text},
    {"BEFORE", kind::before, argument::date},
    {"BODY", kind::body, argument::text},
    {"CC", kind::cc, argument::text},
    {"DELETED", kind::flag, argument::none, flag::deleted},
    {"DRAFT", kind::flag, argument::none, flag::draft},
    {"EMAILID", kind::email_id, argument::object_id},
    {"FLAGGED", kind::flag, argument::none, flag::flagged},
    {"FROM", kind::from, argument::text},
    {"HEADER", kind::header, argument::header},
    {"KEYWORD", kind::keyword, argument::keyword},
    {"LARGER", kind::larger, argument::number},
    {"MODSEQ", kind::modseq, argument::modseq},
    {"NEW", kind::none, argument::none}, // RFC 3501: \Recent and unseen
    {"OLD", kind::all, argument::none},  // not \Recent
    {"OLDER", kind::older, argument::seconds},
    {"ON", kind::on, argument::date},
    {"RECENT", kind::none, argument::none},
    {"SAVEDATESUPPORTED", kind::save_date_supported, argument::none},
    {"SAVEDBEFORE", kind::saved_before, argument::date},
    {"SAVEDON", kind::saved_on, argument::date},
    {"SAVEDSINCE", kind::saved_since, argument::date},
    {"SEEN", kind::flag, argument::none, flag::seen},
    {"SENTBEFORE", kind::sent_before, argument::date},
    {"SENTON", kind::sent_on, argument::date},
    {"SENTSINCE", kind::sent_since, argument::date},
    {"SINCE", kind::since, argument::date},
    {"SMALLER", kind::smaller, argument::number},
    {"SUBJECT", kind::subject, argument::text},
    {"TEXT", kind::text, argument::text},
    {"THREADID", kind::thread_id, argument::object_id},
    {"TO", kind::to, argument::text},
    {"UID", kind::uids, argument::uids},
    {"UNANSWERED", kind::no_flag, argument::none, flag::answered},
    {"UNDELETED", kind::no_flag, argument::none, flag::deleted},
    {"UNDRAFT", kind::no_flag, argument::none, flag::draft},
    {"UNFLAGGED", kind::no_flag, argument::none, flag::flagged},
    {"UNKEYWORD", kind::no_keyword, argument::keyword},
    {"UNSEEN", kind::no_flag, argument::none, flag::seen},
    {"YOUNGER", kind::younger, argument::seconds},
};

/// One SEARCH: the reader, the charset of its strings and what was used of the limits.
class search_reader {
public:
  explicit search_reader(reader& in) : in_(in) {}

  void charset();
  search_key key(std::size_t depth);
  /// search-key *(SP search-key), up to the end or to ')'.
  search_key sequence(std::size_t depth);

private:
  std::string text(std::string_view what);
  void argument_of(const key_row& row, search_key& k);
  void modseq(search_key& k);

  reader& in_;
  std::string charset_;
  bool convert_ = false;
  std::size_t keys_ = 0;
  std::size_t text_keys_ = 0;
  std::size_t text_octets_ = 0;
};

void search_reader::charset() {
  charset_ = in_.at_string() ? in_.string("a charset") : std::string(in_.atom("a charset"));
  if (!in_.ok() || ascii::iequals(charset_, "UTF-8") || ascii::iequals(charset_, "US-ASCII"))
    return;
  convert_ = true;
  if (!mime::charset_decoder(charset_).known()) // RFC 9051 6.4.4: NO [BADCHARSET]
    in_.fail(errc::not_found, "Charset not known");
}

std::string search_reader::text(std::string_view what) {
  auto octets = in_.astring(what);
  text_octets_ += octets.size();
  if (++text_keys_ > in_.bounds().search_text_keys)
    in_.fail(errc::too_many, "Too many texts to search for");
  if (text_octets_ > in_.bounds().search_text)
    in_.fail(errc::too_big, "Too much text to search for");
  if (!in_.ok())
    return {};
  if (convert_) {
    mime::charset_decoder decoder(charset_);
    std::string utf8;
    decoder.feed(octets, utf8);
    decoder.finish(utf8);
    return utf8;
  }
  if (!valid_utf8(octets))
    in_.expected("search text in UTF-8");
  return octets;
}

// RFC 7162 3.1.5: MODSEQ ["/flags/\\Seen" all|shared|priv] value; we keep one mod-sequence for all of a message
void search_reader::modseq(search_key& k) {
  if (in_.peek() == '"') {
    in_.string("an entry name");
    in_.space();
    if (!in_.accept_word("all") && !in_.accept_word("shared") && !in_.accept_word("priv"))
      in_.expected("all, shared or priv");
    in_.space();
  }
  k.number = in_.number64("a mod-sequence");
}

void search_reader::argument_of(const key_row& row, search_key& k) {
  if (row.takes != argument::none)
    in_.space();
  switch (row.takes) {
  case argument::none: break;
  case argument::text: k.text = text("text to search for"); break;
  case argument::header:
    k.field = in_.astring("a header field name");
    in_.space();
    k.text = text("text to search for");
    break;
  case argument::keyword: k.text = std::string(in_.atom("a keyword")); break;
  case argument::date: k.date = in_.date(); break;
  case argument::number: k.number = in_.number64("a number of octets"); break;
  case argument::seconds: k.number = in_.nz_number("a number of seconds"); break;
  case argument::uids: k.set = in_.set(); break;
  case argument::modseq: modseq(k); break;
  case argument::object_id: k.text = in_.astring("an object id"); break;
  }
}

search_key search_reader::key(std::size_t depth) {
  search_key k;
  if (depth > in_.bounds().search_depth || ++keys_ > in_.bounds().search_keys) {
    in_.fail(errc::too_many, "Search too complex");
    return k;
  }
  auto next = in_.peek();
  if (next == '(') {
    in_.accept('(');
    k = sequence(depth + 1);
    in_.expect(')');
    return k;
  }
  if (ascii::is_digit(next) || next == '*' || next == '$') {
    k.what = next == '$' ? kind::uids : kind::sequence;
    k.set = in_.set();
    return k;
  }
  auto name = in_.atom("a search key");
  if (ascii::iequals(name, "NOT") || ascii::iequals(name, "OR")) {
    k.what = name.size() == 3 ? kind::not_ : kind::or_;
    for (std::size_t operands = k.what == kind::or_ ? 2 : 1; operands > 0 && in_.ok(); --operands) {
      in_.space();
      k.children.push_back(key(depth + 1));
    }
    return k;
  }
  for (const auto& row : keys)
    if (ascii::iequals(row.name, name)) {
      k.what = row.what;
      k.number = row.number;
      argument_of(row, k);
      return k;
    }
  in_.expected("a search key such as UNSEEN, FROM or SINCE");
  return k;
}

search_key search_reader::sequence(std::size_t depth) {
  auto first = key(depth);
  if (in_.peek() != ' ')
    return first;
  search_key both;
  both.what = kind::and_;
  both.children.push_back(std::move(first));
  while (in_.accept(' '))
    both.children.push_back(key(depth));
  return both;
}

std::uint8_t return_options(reader& in, std::optional<result_range>* partial) {
  std::uint8_t options = 0;
  in.space();
  in.expect('(');
  if (in.accept(')'))
    return search_return::all; // RFC 4731 3.1
  while (in.ok()) {
    if (in.accept_word("MIN"))
      options |= search_return::min;
    else if (in.accept_word("MAX"))
      options |= search_return::max;
    else if (in.accept_word("ALL"))
      options |= search_return::all;
    else if (in.accept_word("COUNT"))
      options |= search_return::count;
    else if (in.accept_word("SAVE"))
      options |= search_return::save;
    else if (partial != nullptr && !*partial && in.accept_word("PARTIAL")) {
      in.space();
      *partial = in.partial_range();
      options |= search_return::partial;
    } else
      in.expected(partial != nullptr ? "MIN, MAX, ALL, COUNT, SAVE or PARTIAL" : "MIN, MAX, ALL, COUNT or SAVE");
    if (in.accept(')'))
      break;
    in.space();
  }
  if ((options & search_return::partial) != 0 && (options & search_return::all) != 0) // RFC 9394 3.1
    in.expected("either ALL or PARTIAL");
  return options;
}

} // namespace

void parse(reader& in, commands::search& c) {
  in.space();
  if (in.accept_word("RETURN")) {
    c.extended = true;
    c.returns = return_options(in, &c.partial);
    in.space();
  } else if (in.mode().rev2) { // RFC 9051 6.4.4: SEARCH without RETURN answers with ESEARCH as well
    c.extended = true;
    c.returns = search_return::all;
  }
  search_reader search(in);
  if (in.accept_word("CHARSET")) {
    in.space();
    search.charset();
    in.space();
  }
  c.key = search.sequence(0);
}

namespace {

struct sort_row {
  std::string_view name;
  sort_key::kind what;
};

constexpr sort_row sort_keys[] = {
    {"ARRIVAL", sort_key::kind::arrival},          {"CC", sort_key::kind::cc},     {"DATE", sort_key::kind::date},
    {"DISPLAYFROM", sort_key::kind::display_from}, // RFC 5957
    {"DISPLAYTO", sort_key::kind::display_to},     {"FROM", sort_key::kind::from}, {"SIZE", sort_key::kind::size},
    {"SUBJECT", sort_key::kind::subject},          {"TO", sort_key::kind::to},
};

sort_key one_sort_key(reader& in) {
  sort_key out;
  auto name = in.atom("a sort key");
  if (ascii::iequals(name, "REVERSE")) {
    out.reverse = true;
    in.space();
    name = in.atom("a sort key");
  }
  for (const auto& row : sort_keys)
    if (ascii::iequals(row.name, name)) {
      out.what = row.what;
      return out;
    }
  in.expected("a sort key such as DATE");
  return out;
}

/// RFC 5256 5: the charset can't be left out.
search_key charset_and_keys(reader& in) {
  search_reader search(in);
  in.space();
  search.charset();
  in.space();
  return search.sequence(0);
}

} // namespace

void parse(reader& in, commands::sort& c) {
  in.space();
  if (in.accept_word("RETURN")) {
    c.extended = true;
    c.returns = return_options(in, nullptr);
    in.space();
  }
  in.expect('(');
  while (in.ok()) {
    if (c.by.size() == in.bounds().sort_keys)
      in.fail(errc::too_many, "Too many sort keys");
    c.by.push_back(one_sort_key(in));
    if (in.accept(')'))
      break;
    in.space();
  }
  c.key = charset_and_keys(in);
}

void parse(reader& in, commands::thread& c) {
  in.space();
  const auto name = in.atom("a threading algorithm");
  if (ascii::iequals(name, "ORDEREDSUBJECT"))
    c.how = thread_algorithm::ordered_subject;
  else if (!ascii::iequals(name, "REFERENCES"))
    in.expected("ORDEREDSUBJECT or REFERENCES");
  c.key = charset_and_keys(in);
}

} // namespace merpati::imap::grammar
