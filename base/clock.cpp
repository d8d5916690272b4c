#include "base/clock.hpp"

namespace merpati {

namespace {
class machine_clock final : public clock_source {
public:
  timestamp now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
};
} // namespace

const clock_source& clock_source::system() {
  static const machine_clock instance;
  return instance;
}

} // namespace merpati
