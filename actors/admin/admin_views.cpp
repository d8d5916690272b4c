#include "actors/admin/admin_views.hpp"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

namespace merpati::admin {

namespace {

/// A label's value: backslash, quote and line feed escaped.
std::string label_value(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"')
      out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
    case '&': out += "&amp;"; break;
    case '<': out += "&lt;"; break;
    case '>': out += "&gt;"; break;
    case '"': out += "&quot;"; break;
    default: out += c;
    }
  }
  return out;
}

class metrics_writer {
public:
  void family(std::string_view name, std::string_view help, bool counter) {
    fmt::format_to(std::back_inserter(out_), "# HELP merpati_{} {}\n# TYPE merpati_{} {}\n", name, help, name,
                   counter ? "counter" : "gauge");
  }
  void value(std::string_view name, std::string_view labels, double value) {
    fmt::format_to(std::back_inserter(out_), "merpati_{}{}{}{} {}\n", name, labels.empty() ? "" : "{", labels,
                   labels.empty() ? "" : "}", value);
  }
  /// A family with one value for each kind of actor.
  template <class Value>
  void by_kind(const std::vector<runtime::kind_stats>& kinds, std::string_view name, std::string_view help,
               bool counter, Value of) {
    family(name, help, counter);
    for (const auto& k : kinds)
      value(name, "kind=\"" + label_value(k.kind) + '"', static_cast<double>(of(k)));
  }
  std::string take() { return std::move(out_); }

private:
  std::string out_;
};

} // namespace

std::string actors_json(const std::vector<runtime::actor_stats>& actors, std::string_view kind) {
  auto list = nlohmann::json::array();
  for (const auto& a : actors) {
    if (!kind.empty() && a.kind != kind)
      continue;
    list.push_back({{"id", a.id},
                    {"kind", a.kind},
                    {"name", a.label},
                    {"parent", a.parent},
                    {"started_us", a.started_us},
                    {"mailbox_depth", a.mailbox_depth},
                    {"handled", a.handled},
                    {"time_us", a.busy_ns / 1000},
                    {"restarts", a.restarts},
                    {"last_error", a.last_error}});
  }
  nlohmann::json out;
  out["actors"] = std::move(list);
  // Labels may hold what a client called itself; what is no UTF-8 is replaced instead of thrown at the reader.
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string metrics_text(const std::vector<runtime::actor_stats>& actors, const std::vector<runtime::kind_stats>& kinds,
                         std::vector<metric> more, std::string_view version) {
  metrics_writer out;
  out.family("build_info", "The version that runs.", false);
  out.value("build_info", "version=\"" + label_value(version) + '"', 1);
  out.by_kind(kinds, "actors", "Actors alive.", false, [](const auto& k) { return k.alive; });
  out.by_kind(kinds, "actors_started_total", "Actors started.", true, [](const auto& k) { return k.started; });
  out.by_kind(kinds, "actors_failed_total", "Actors that ended with an error.", true,
              [](const auto& k) { return k.failed; });
  out.by_kind(kinds, "actor_restarts_total", "Restarts by supervisors.", true,
              [](const auto& k) { return k.restarts; });
  out.by_kind(kinds, "actor_messages_total", "Messages handled.", true, [](const auto& k) { return k.handled; });
  out.by_kind(kinds, "actor_busy_seconds_total", "Time spent in handlers.", true,
              [](const auto& k) { return static_cast<double>(k.busy_ns) / 1e9; });
  std::map<std::string, std::uint32_t> deepest;
  for (const auto& a : actors)
    deepest[a.kind] = std::max(deepest[a.kind], a.mailbox_depth);
  out.family("actor_mailbox_depth_max", "Messages waiting in the fullest mailbox.", false);
  for (const auto& [kind, depth] : deepest)
    out.value("actor_mailbox_depth_max", "kind=\"" + label_value(kind) + '"', depth);
  // The format wants all values of a metric in one place.
  std::stable_sort(more.begin(), more.end(), [](const metric& a, const metric& b) { return a.name < b.name; });
  std::string_view family;
  for (const auto& m : more) {
    if (m.name != family)
      out.family(m.name, m.help, m.counter);
    family = m.name;
    out.value(m.name, m.labels, m.value);
  }
  return out.take();
}

std::string page_html(const result<void>& health, const std::vector<runtime::kind_stats>& kinds,
                      std::string_view version) {
  std::string rows;
  for (const auto& k : kinds)
    rows += fmt::format("<tr><td><a href=\"/actors?kind={0}\">{0}</a><td>{1}<td>{2}<td>{3}<td>{4}<td>{5:.3f}<td>{6}\n",
                        html(k.kind), k.alive, k.started, k.restarts, k.handled, static_cast<double>(k.busy_ns) / 1e9,
                        html(k.last_error));
  return fmt::format("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Merpati</title>\n"
                     "<style>body{{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}"
                     "table{{border-collapse:collapse;width:100%}}td,th{{text-align:right;padding:.2rem .6rem;"
                     "border-bottom:1px solid #8884}}td:first-child,th:first-child,td:last-child,th:last-child"
                     "{{text-align:left}}.bad{{color:#b00}}</style>\n"
                     "<h1>Merpati {}</h1>\n<p class=\"{}\">{}</p>\n"
                     "<table><tr><th>Actors<th>Alive<th>Started<th>Restarts<th>Messages<th>Seconds<th>Last error\n{}"
                     "</table>\n<p><a href=\"/actors\">all actors</a> · <a href=\"/metrics\">metrics</a> · "
                     "<a href=\"/healthz\">health</a></p></html>\n",
                     html(version), health ? "good" : "bad", health ? "In good health." : html(health.error().what),
                     rows);
}

} // namespace merpati::admin
