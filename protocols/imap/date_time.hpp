// IMAP's dates (RFC 9051 9: date-text, date-time).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace merpati::imap {

/// "17-Jul-1996 02:44:25 -0700" without quotes; the day may be " 7" or "07". Nothing for anything else.
std::optional<timestamp> parse_date_time(std::string_view text) noexcept;
/// "1-Feb-1994" or "01-Feb-1994".
std::optional<std::chrono::sys_days> parse_date(std::string_view text) noexcept;
/// Appends "17-Jul-1996 09:44:25 +0000"; years outside 0..9999 are moved to the nearest.
void write_date_time_text(timestamp t, std::string& out);

} // namespace merpati::imap
