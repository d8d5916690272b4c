// Debian 12 has Catch2 2.13, Debian 13 has 3.x; this is the only place that knows.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Matchers::Contains;
#else
#include <catch2/catch.hpp>
#endif
