// The only include of toml++. Version 3.3 trips over an assertion of its own on some malformed table headers ("[[["),
// which under NDEBUG even becomes undefined behaviour; here an assertion is always an exception that the reader of
// the file catches.
#pragma once

#include <stdexcept>

namespace merpati::config {

struct toml_assertion : std::logic_error {
  using std::logic_error::logic_error;
};

[[noreturn]] inline void toml_assertion_failed(const char* what) {
  throw toml_assertion(what);
}

} // namespace merpati::config

#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(expr) ((expr) ? void() : ::merpati::config::toml_assertion_failed(#expr))
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
