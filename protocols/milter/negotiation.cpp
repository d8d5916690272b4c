#include "protocols/milter/negotiation.hpp"

#include <algorithm>

#include "protocols/milter/packet.hpp"

namespace merpati::milter {

namespace {

/// What versions before 6 lack is as if the filter had declined it.
std::uint32_t fit_to_version(std::uint32_t steps, std::uint32_t version) {
  steps &= protocol::offered;
  if (version >= newest_version)
    return steps;
  auto known = protocol::of_version_2;
  if (version >= 3)
    known |= protocol::no_unknown;
  if (version >= 4)
    known |= protocol::no_data;
  steps &= known;
  if (version < 3)
    steps |= protocol::no_unknown;
  if (version < 4)
    steps |= protocol::no_data;
  return steps;
}

result<macro_names> parse_names(std::string_view text) {
  macro_names out;
  constexpr std::string_view separators = " \t,\r\n";
  for (;;) {
    const auto begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos)
      return out;
    text.remove_prefix(begin);
    const auto name = text.substr(0, text.find_first_of(separators));
    text.remove_prefix(name.size());
    if (out.size() == macro_list_names)
      return fail(errc::too_many, "a list of more than " + std::to_string(macro_list_names) + " macros");
    out.push_back(canonical_macro_name(name));
  }
}

} // namespace

std::string canonical_macro_name(std::string_view name) {
  if (name.size() > 2 && name.front() == '{' && name.back() == '}')
    name = name.substr(1, name.size() - 2);
  return name.size() <= 1 ? std::string(name) : "{" + std::string(name) + "}";
}

std::string write_offer() {
  std::string out;
  append_number(newest_version, out);
  append_number(action::all, out);
  append_number(protocol::offered, out);
  return out;
}

result<negotiated> parse_answer(std::string_view data) {
  const auto version = take_number(data);
  const auto actions = take_number(data);
  const auto steps = take_number(data);
  if (!version || !actions || !steps)
    return fail(errc::invalid, "an answer to the negotiation that is too short");
  if (*version < oldest_version || *version > newest_version)
    return fail(errc::invalid, "version " + std::to_string(*version) + " of the protocol");
  negotiated out;
  out.version = *version;
  out.actions = *actions & (*version >= newest_version ? action::all : action::of_version_2);
  out.steps = fit_to_version(*steps, *version);
  while (!data.empty()) {
    const auto stage = take_number(data);
    if (!stage || *stage >= macro_stages)
      return fail(errc::invalid, "a list of macros for no known stage");
    auto names = parse_names(take_text(data));
    if (!names)
      return tl::unexpected<error>(std::move(names.error()));
    out.macros[*stage] = std::move(*names);
  }
  return out;
}

const macro_names& default_macros(macro_stage stage) {
  static const std::array<macro_names, macro_stages> lists{{
      {"j", "{daemon_name}", "{daemon_addr}", "{daemon_port}", "v", "_", "{client_addr}", "{client_name}",
       "{client_port}", "{client_ptr}", "{client_connections}"},
      {"{tls_version}", "{cipher}", "{cipher_bits}"},
      {"i", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_addr}", "{mail_host}", "{mail_mailer}"},
      {"i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"},
      {"i"},
      {"i"},
      {"i"},
  }};
  return lists[static_cast<std::size_t>(stage)];
}

} // namespace merpati::milter
