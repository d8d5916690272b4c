#include "protocols/sasl/saslprep.hpp"

#include <algorithm>
#include <vector>

#include <unicode/usprep.h>
#include <unicode/ustring.h>

namespace merpati::sasl {

namespace {

const UStringPrepProfile* profile() {
  static const auto* const opened = [] {
    UErrorCode status = U_ZERO_ERROR;
    const auto* found = usprep_openByType(USPREP_RFC4013_SASLPREP, &status);
    return U_SUCCESS(status) ? found : nullptr;
  }();
  return opened;
}

// RFC 3454 lets KC normalisation make up to 18 code units of one.
constexpr std::size_t expansion = 18;
// Far above the limits of the mechanisms; keeps every size within the 32 bits of ICU.
constexpr std::size_t text_bytes = 64 * 1024;

} // namespace

result<std::string> saslprep(std::string_view text, saslprep_use use) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    return std::string(text);
  if (text.size() > text_bytes)
    return fail(errc::too_big, "the text is too long");
  if (!profile())
    return fail(errc::internal, "ICU has no SASLprep data");
  UErrorCode status = U_ZERO_ERROR;
  std::vector<UChar> wide(text.size());
  std::int32_t length = 0;
  u_strFromUTF8(wide.data(), static_cast<std::int32_t>(wide.size()), &length, text.data(),
                static_cast<std::int32_t>(text.size()), &status);
  std::vector<UChar> prepared(static_cast<std::size_t>(length) * expansion + 1);
  const auto capacity = static_cast<std::int32_t>(prepared.size());
  length = usprep_prepare(profile(), wide.data(), length, prepared.data(), capacity,
                          use == saslprep_use::query ? USPREP_ALLOW_UNASSIGNED : USPREP_DEFAULT, nullptr, &status);
  std::string out(static_cast<std::size_t>(std::max(length, 0)) * 3, '\0');
  std::int32_t bytes = 0;
  u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &bytes, prepared.data(), length, &status);
  if (U_FAILURE(status))
    return fail(errc::invalid, "the text has no form that SASLprep allows");
  out.resize(static_cast<std::size_t>(bytes));
  return out;
}

} // namespace merpati::sasl
