// The program's version, from the project's CMakeLists.txt.
#pragma once

namespace merpati {

#ifdef MERPATI_VERSION
inline constexpr const char* program_version = MERPATI_VERSION;
#else
inline constexpr const char* program_version = "0.1.0";
#endif

} // namespace merpati
