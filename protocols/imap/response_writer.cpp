#include "protocols/imap/response_writer.hpp"

#include <array>
#include <charconv>

#include "protocols/imap/date_time.hpp"
#include "protocols/imap/mailbox_name.hpp"
#include "protocols/imap/reader.hpp"
#include "protocols/imap/reply.hpp"

namespace merpati::imap {
namespace {

/// The text of each combination of system flags, made once.
const std::array<std::string, 32>& flag_texts() {
  static const auto texts = [] {
    constexpr std::string_view names[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"};
    std::array<std::string, 32> all;
    for (unsigned bits = 0; bits < 32; ++bits)
      for (unsigned bit = 0; bit < 5; ++bit)
        if ((bits >> bit & 1U) != 0) {
          if (!all[bits].empty())
            all[bits] += ' ';
          all[bits] += names[bit];
        }
    return all;
  }();
  return texts;
}

struct use_name {
  std::uint32_t bit;
  std::string_view name;
};
constexpr use_name use_names[] = {
    {special_use::all, "\\All"},         {special_use::archive, "\\Archive"},     {special_use::drafts, "\\Drafts"},
    {special_use::flagged, "\\Flagged"}, {special_use::important, "\\Important"}, {special_use::junk, "\\Junk"},
    {special_use::sent, "\\Sent"},       {special_use::trash, "\\Trash"},
};

/// Words in parentheses, separated by spaces.
class word_list {
public:
  explicit word_list(std::string& out) : out_(out) { out_ += '('; }
  std::string& next() {
    if (!first_)
      out_ += ' ';
    first_ = false;
    return out_;
  }
  void add(std::string_view word) { next() += word; }
  void close() { out_ += ')'; }

private:
  std::string& out_;
  bool first_ = true;
};

bool fits_quoted(std::string_view text, bool utf8) noexcept {
  if (text.size() > 1000) // long texts go as literals, which readers take without scanning for quotes
    return false;
  bool eight_bit = false;
  for (auto c : text) {
    if (c == '\r' || c == '\n')
      return false;
    if (static_cast<unsigned char>(c) >= 0x80)
      eight_bit = true;
  }
  return !eight_bit || (utf8 && valid_utf8(text));
}

void write_literal(std::string_view text, std::string& out) {
  out += '{';
  write_number(text.size(), out);
  out += "}\r\n";
  out += text;
}

} // namespace

void write_number(std::uint64_t n, std::string& out) {
  char buffer[20];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, n).ptr;
  out.append(buffer, end);
}

void write_string(std::string_view text, bool utf8, std::string& out) {
  if (text.find('\0') != std::string_view::npos) {
    std::string clean(text);
    std::erase(clean, '\0');
    return write_string(clean, utf8, out);
  }
  if (!fits_quoted(text, utf8))
    return write_literal(text, out);
  out += '"';
  for (auto c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  out += '"';
}

void write_astring(std::string_view text, bool utf8, std::string& out) {
  bool atom = !text.empty();
  for (auto c : text)
    atom = atom && is_astring_char(c);
  // "NIL" as an atom would be read as nothing at all where an nstring is allowed
  if (atom && text != "NIL")
    out += text;
  else
    write_string(text, utf8, out);
}

void write_mailbox_name(std::string_view name, bool utf8, std::string& out) {
  if (utf8)
    write_astring(name, true, out);
  else
    write_astring(encode_utf7(name), false, out);
}

void write_flags(std::uint8_t system, std::uint64_t keyword_bits, const std::vector<std::string>& keywords,
                 std::string& out) {
  out += '(';
  out += flag_texts()[system & flag::all];
  if (keyword_bits != 0) {
    bool first = (system & flag::all) == 0;
    for (std::size_t bit = 0; bit < keywords.size() && bit < 64; ++bit)
      if ((keyword_bits >> bit & 1U) != 0) {
        if (!first)
          out += ' ';
        first = false;
        out += keywords[bit];
      }
  }
  out += ')';
}

void write_date_time(timestamp t, std::string& out) {
  out += '"';
  write_date_time_text(t, out);
  out += '"';
}

void write_flags_response(const std::vector<std::string>& keywords, bool read_only, std::string& out) {
  std::string all = "(";
  all += flag_texts()[flag::all];
  for (const auto& keyword : keywords) {
    all += ' ';
    all += keyword;
  }
  out += "* FLAGS ";
  out += all;
  out += ")\r\n* OK [PERMANENTFLAGS ";
  if (read_only) {
    out += "()] Read-only, no flags can be changed\r\n";
    return;
  }
  out += all;
  if (keywords.size() < 64)
    out += " \\*";
  out += ")] Flags that are kept\r\n";
}

void write_exists(std::uint32_t count, std::string& out) {
  out += "* ";
  write_number(count, out);
  out += " EXISTS\r\n";
}

void write_select_responses(const mailbox_snapshot& box, std::string_view name, bool read_only, bool rev2, bool utf8,
                            bool condstore, std::string& out) {
  auto number_code = [&](std::string_view code, std::uint64_t n, std::string_view text) {
    out += "* OK [";
    out += code;
    out += ' ';
    write_number(n, out);
    out += "] ";
    out += text;
    out += "\r\n";
  };
  write_flags_response(box.keywords(), read_only, out);
  write_exists(box.size(), out);
  if (!rev2) { // RFC 9051 appendix E: RECENT and UNSEEN are gone
    out += "* 0 RECENT\r\n";
    if (auto first = box.first_unseen())
      number_code("UNSEEN", first, "First unseen message");
  }
  const auto& state = box.state();
  number_code("UIDVALIDITY", state.uid_validity, "UIDs valid");
  number_code("UIDNEXT", state.uid_next.value, "Predicted next UID");
  if (condstore)
    number_code("HIGHESTMODSEQ", state.highest_modseq.value, "Highest");
  out += "* OK [MAILBOXID (";
  write_object_id('F', state.id.value, out);
  out += ")] Mailbox id\r\n";
  if (rev2) // RFC 9051 6.3.2
    write_list({.name = std::string(name), .has_children = std::nullopt}, {.utf8 = utf8}, out);
}

void write_list(const list_entry& entry, const list_style& style, std::string& out) {
  out += style.lsub ? "* LSUB " : "* LIST ";
  word_list attributes(out);
  // \NonExistent implies \Noselect; older programs know the latter only (RFC 5258 3.4)
  if (!entry.exists && !style.lsub)
    attributes.add("\\NonExistent");
  if (!entry.exists || !entry.selectable)
    attributes.add("\\Noselect");
  if (entry.no_inferiors)
    attributes.add("\\NoInferiors");
  else if (entry.has_children)
    attributes.add(*entry.has_children ? "\\HasChildren" : "\\HasNoChildren");
  if (style.tell_subscribed && entry.subscribed)
    attributes.add("\\Subscribed");
  if (style.tell_special_use && !style.lsub)
    for (const auto& use : use_names)
      if ((entry.special_use & use.bit) != 0)
        attributes.add(use.name);
  attributes.close();
  out += " \"/\" ";
  write_mailbox_name(entry.name, style.utf8, out);
  if (entry.child_subscribed && !style.lsub)
    out += " (\"CHILDINFO\" (\"SUBSCRIBED\"))";
  out += "\r\n";
}

void write_list_delimiter(bool lsub, std::string& out) {
  out += lsub ? "* LSUB" : "* LIST";
  out += " (\\Noselect) \"/\" \"\"\r\n";
}

void write_status(std::string_view name, std::uint32_t items, const status_values& values, bool utf8,
                  std::string& out) {
  out += "* STATUS ";
  write_mailbox_name(name, utf8, out);
  out += ' ';
  word_list list(out);
  auto item = [&](std::uint32_t bit, std::string_view label, std::uint64_t value) {
    if ((items & bit) == 0)
      return;
    list.add(label);
    out += ' ';
    write_number(value, out);
  };
  item(status_item::messages, "MESSAGES", values.messages);
  item(status_item::recent, "RECENT", 0);
  item(status_item::uid_next, "UIDNEXT", values.uid_next);
  item(status_item::uid_validity, "UIDVALIDITY", values.uid_validity);
  item(status_item::unseen, "UNSEEN", values.unseen);
  item(status_item::deleted, "DELETED", values.deleted);
  item(status_item::size, "SIZE", values.size_bytes);
  item(status_item::highest_modseq, "HIGHESTMODSEQ", values.highest_modseq);
  item(status_item::deleted_storage, "DELETED-STORAGE", values.deleted_bytes);
  item(status_item::append_limit, "APPENDLIMIT", values.append_limit_bytes);
  if ((items & status_item::mailbox_id) != 0) {
    list.add("MAILBOXID (");
    write_object_id('F', values.mailbox_id, out);
    out += ')';
  }
  list.close();
  out += "\r\n";
}

void write_vanished(const sequence_set& uids, bool earlier, std::string& out) {
  if (uids.empty())
    return;
  out += earlier ? "* VANISHED (EARLIER) " : "* VANISHED ";
  uids.write(out);
  out += "\r\n";
}

void write_quota(std::string_view root, std::span<const quota_resource> resources, std::string& out) {
  out += "* QUOTA ";
  write_string(root, false, out);
  out += ' ';
  word_list list(out);
  for (const auto& each : resources) {
    list.add(each.name);
    out += ' ';
    write_number(each.used, out);
    out += ' ';
    write_number(each.limit, out);
  }
  list.close();
  out += "\r\n";
}

void write_quota_root(std::string_view mailbox, std::string_view root, bool utf8, std::string& out) {
  out += "* QUOTAROOT ";
  write_mailbox_name(mailbox, utf8, out);
  out += ' ';
  write_string(root, false, out);
  out += "\r\n";
}

std::string copy_uid_code(std::uint32_t uid_validity, std::span<const std::uint32_t> from,
                          std::span<const std::uint32_t> to) {
  if (from.empty())
    return {};
  std::string code = "COPYUID ";
  write_number(uid_validity, code);
  for (auto numbers : {from, to}) {
    code += ' ';
    // runs of ascending numbers in the order given, since the n-th of one list belongs to the n-th of the other
    for (std::size_t at = 0; at < numbers.size();) {
      auto last = at;
      while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1)
        ++last;
      if (at > 0)
        code += ',';
      write_number(numbers[at], code);
      if (last > at) {
        code += ':';
        write_number(numbers[last], code);
      }
      at = last + 1;
    }
  }
  return code;
}

void write_object_id(char kind, std::uint64_t number, std::string& out) {
  out += kind;
  write_number(number, out);
}

} // namespace merpati::imap
