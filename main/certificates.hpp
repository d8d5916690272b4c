// Reads the PEM files that the settings name.
#pragma once

#include <vector>

#include "base/result.hpp"
#include "config/settings.hpp"
#include "protocols/tls/certificate.hpp"

namespace merpati {

/// In the order of the settings; empty without TLS. errc::unavailable naming the file that can't be read.
result<std::vector<tls::certificate_source>> read_certificates(const config::tls_settings& settings);

} // namespace merpati
