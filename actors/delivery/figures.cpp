#include "actors/delivery/figures.hpp"

#include <algorithm>

namespace merpati::delivery {

namespace {

constexpr std::array<std::pair<verdict, std::string_view>, 4> told = {{{verdict::delivered, "delivered"},
                                                                       {verdict::relayed, "relayed"},
                                                                       {verdict::deferred, "deferred"},
                                                                       {verdict::failed, "failed"}}};

admin::metric metric(const char* name, const char* help, bool counter, std::uint64_t value, std::string labels = {}) {
  admin::metric out;
  out.name = name;
  out.help = help;
  out.counter = counter;
  out.value = static_cast<double>(value);
  out.labels = std::move(labels);
  return out;
}

std::string label(const std::string& destination) {
  std::string out = "destination=\"";
  for (char c : destination) { // domains are ASCII; what stands in address literals needs no escape but these
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + '"';
}

} // namespace

void figures::set_load(const std::string& destination, std::size_t recipients, std::size_t connections) {
  const std::scoped_lock locked(lock_);
  auto& r = rows_[destination];
  r.recipients = recipients;
  r.connections = connections;
}

void figures::add(const std::string& destination, verdict how) {
  const std::scoped_lock locked(lock_);
  const auto which = static_cast<std::size_t>(how);
  ++results_.at(which);
  if (const auto found = rows_.find(destination); found != rows_.end())
    ++found->second.results.at(which);
}

void figures::forget(const std::string& destination) {
  const std::scoped_lock locked(lock_);
  rows_.erase(destination);
}

void figures::forget_all() {
  const std::scoped_lock locked(lock_);
  rows_.clear();
}

std::vector<admin::metric> figures::metrics() const {
  std::vector<std::pair<std::string, row>> awake;
  std::array<std::uint64_t, verdicts> results{};
  {
    const std::scoped_lock locked(lock_);
    awake.assign(rows_.begin(), rows_.end());
    results = results_;
  }
  std::uint64_t recipients = 0;
  std::uint64_t connections = 0;
  for (const auto& [name, r] : awake) {
    recipients += r.recipients;
    connections += r.connections;
  }
  std::sort(awake.begin(), awake.end(),
            [](const auto& a, const auto& b) { return a.second.recipients > b.second.recipients; });
  awake.resize(std::min(awake.size(), destinations_told));

  std::vector<admin::metric> out;
  for (const auto& [how, name] : told)
    out.push_back(metric("delivery_results_total", "Recipients whose attempt was written down", true,
                         results[static_cast<std::size_t>(how)], "result=\"" + std::string(name) + "\""));
  out.push_back(metric("delivery_recipients", "Recipients that are due and in hand", false, recipients));
  out.push_back(metric("delivery_connections", "Connections to other servers", false, connections));
  for (const auto& [name, r] : awake)
    out.push_back(metric("delivery_destination_recipients", "Recipients in hand for a destination", false, r.recipients,
                         label(name)));
  for (const auto& [name, r] : awake)
    out.push_back(
        metric("delivery_destination_connections", "Connections for a destination", false, r.connections, label(name)));
  for (const auto& [how, word] : told)
    for (const auto& [name, r] : awake)
      out.push_back(metric("delivery_destination_results_total", "The same for a destination while it is awake", true,
                           r.results[static_cast<std::size_t>(how)],
                           label(name) + ",result=\"" + std::string(word) + "\""));
  return out;
}

} // namespace merpati::delivery
