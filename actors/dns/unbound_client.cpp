#include "actors/dns/unbound_client.hpp"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <poll.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#include "base/ascii.hpp"

namespace merpati::dns {

namespace {

constexpr const char* debian_trust_anchor = "/usr/share/dns/root.key"; // of the package dns-root-data
constexpr int class_in = 1;
constexpr int rcode_nxdomain = 3;

struct context_deleter {
  void operator()(ub_ctx* context) const { ub_ctx_delete(context); }
};
struct result_deleter {
  void operator()(ub_result* made) const { ub_resolve_free(made); }
};

answer failed(errc code, std::string what) {
  answer out;
  out.records = fail(code, std::move(what));
  return out;
}

/// Lower case, without a dot at its end.
std::string plain_name(const char* text) {
  auto out = ascii::lower(text);
  if (out.ends_with('.'))
    out.pop_back();
  return out;
}

answer read_answer(record_type type, const ub_result& from) {
  if (from.bogus != 0) // RFC 4035 5.5
    return failed(errc::unavailable, from.why_bogus ? from.why_bogus : "the answer's signatures are bogus");
  if (from.rcode != 0 && from.rcode != rcode_nxdomain)
    return failed(errc::unavailable, "the name servers answered with rcode " + std::to_string(from.rcode));
  answer out;
  out.secure = from.secure != 0;
  out.ttl_s = static_cast<std::uint32_t>(std::max(from.ttl, 0));
  if (from.canonname != nullptr) {
    out.canonical = plain_name(from.canonname);
    if (out.canonical == plain_name(from.qname))
      out.canonical.clear();
  }
  record_set set;
  set.name_exists = from.nxdomain == 0;
  for (std::size_t i = 0; from.havedata != 0 && from.data[i] != nullptr && set.records.size() < records_max; ++i) {
    if (auto one = read_record(type, {from.data[i], static_cast<std::size_t>(from.len[i])}))
      set.records.push_back(std::move(*one));
  }
  out.records = std::move(set);
  return out;
}

/// An empty text on success, else what went wrong.
std::string configure(ub_ctx* context, const config::resolver_settings& settings) {
  const auto check = [](int code, const std::string& what) { return code == 0 ? "" : what + ": " + ub_strerror(code); };
  std::string wrong = check(ub_ctx_async(context, 1), "a thread of its own");
  for (const auto& forwarder : settings.forwarders)
    if (wrong.empty())
      wrong = check(ub_ctx_set_fwd(context, forwarder.c_str()), "forwarder " + forwarder);
  if (wrong.empty() && settings.forwarders.empty() && !settings.recursive)
    wrong = check(ub_ctx_resolvconf(context, nullptr), "/etc/resolv.conf");
  std::error_code ignored;
  if (wrong.empty() && !settings.trust_anchor.empty())
    wrong = check(ub_ctx_add_ta_file(context, settings.trust_anchor.c_str()), settings.trust_anchor.string());
  else if (wrong.empty() && settings.forwarders.empty() && settings.recursive
           && std::filesystem::exists(debian_trust_anchor, ignored))
    wrong = check(ub_ctx_add_ta_file(context, debian_trust_anchor), debian_trust_anchor);
  // A forwarder on loopback is a local resolver, the usual case; the library refuses loopback otherwise.
  if (wrong.empty())
    wrong = check(ub_ctx_set_option(context, "do-not-query-localhost:", "no"), "do-not-query-localhost");
  // Servers in private networks have names too, which a forwarder may know; unsigned, as such zones are. The root
  // servers are not to be asked for them (RFC 6303).
  for (const char* option : {"unblock-lan-zones:", "insecure-lan-zones:"})
    if (wrong.empty() && !settings.recursive)
      wrong = check(ub_ctx_set_option(context, option, "yes"), option);
  return wrong;
}

} // namespace

// The library's context is used on the thread alone, so nothing depends on which of its calls are safe together.
struct unbound_client::state {
  struct question {
    std::uint64_t id = 0;
    std::string name;
    record_type type = record_type::a;
    bool cancelled = false; ///< a cancellation of `id`, not a question
  };
  /// What the library hands back with an answer.
  struct open_question {
    state* owner = nullptr;
    std::uint64_t id = 0;
    record_type type = record_type::a;
    int library_id = 0;
  };

  answered then;
  int wake = -1;
  std::mutex mutex;
  std::vector<question> arrived; // guarded by mutex
  bool ending = false;           // guarded by mutex
  std::unordered_map<std::uint64_t, std::unique_ptr<open_question>> open;
  std::unique_ptr<ub_ctx, context_deleter> context; // goes before `open`, which its callbacks use
  std::thread thread;

  ~state() {
    if (thread.joinable()) {
      {
        std::scoped_lock lock(mutex);
        ending = true;
      }
      ring();
      thread.join();
    }
    if (wake >= 0)
      ::close(wake);
  }

  void ring() const {
    const std::uint64_t one = 1;
    // It fails only when the counter is full, and then the thread wakes anyway.
    [[maybe_unused]] const auto written = ::write(wake, &one, sizeof one);
  }

  void put(question what) {
    {
      std::scoped_lock lock(mutex);
      arrived.push_back(std::move(what));
    }
    ring();
  }

  void run() {
    for (;;) {
      pollfd watched[2] = {{ub_fd(context.get()), POLLIN, 0}, {wake, POLLIN, 0}};
      if (::poll(watched, 2, -1) < 0 && errno != EINTR)
        return;
      if ((watched[1].revents & POLLIN) != 0) {
        std::uint64_t rung = 0;
        [[maybe_unused]] const auto got = ::read(wake, &rung, sizeof rung);
      }
      std::vector<question> taken;
      {
        std::scoped_lock lock(mutex);
        if (ending)
          return;
        taken.swap(arrived);
      }
      for (auto& one : taken)
        one.cancelled ? forget(one.id) : begin(one);
      ub_process(context.get());
    }
  }

  void begin(const question& what) {
    auto made = std::make_unique<open_question>();
    made->owner = this;
    made->id = what.id;
    made->type = what.type;
    auto* raw = made.get();
    open[what.id] = std::move(made);
    const auto code = ub_resolve_async(context.get(), what.name.c_str(), static_cast<int>(what.type), class_in, raw,
                                       &state::on_answer, &raw->library_id);
    if (code != 0) {
      open.erase(what.id);
      then(what.id, failed(errc::unavailable, std::string("the resolver library: ") + ub_strerror(code)));
    }
  }

  void forget(std::uint64_t id) {
    const auto found = open.find(id);
    if (found == open.end())
      return;
    ub_cancel(context.get(), found->second->library_id);
    open.erase(found);
  }

  static void on_answer(void* handed, int code, ub_result* made) {
    const std::unique_ptr<ub_result, result_deleter> owned(code == 0 ? made : nullptr);
    const auto* question = static_cast<open_question*>(handed);
    auto* own = question->owner;
    const auto id = question->id;
    auto out = owned ? read_answer(question->type, *owned) : failed(errc::unavailable, ub_strerror(code));
    own->open.erase(id);
    own->then(id, std::move(out));
  }
};

unbound_client::unbound_client() : state_(std::make_unique<state>()) {}
unbound_client::~unbound_client() = default;

result<std::unique_ptr<unbound_client>> unbound_client::start(const config::resolver_settings& settings,
                                                              answered then) {
  std::unique_ptr<unbound_client> made(new unbound_client);
  auto& own = *made->state_;
  own.then = std::move(then);
  own.wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  own.context.reset(ub_ctx_create());
  if (own.wake < 0 || !own.context)
    return fail(errc::unavailable, "the DNS resolver can't start: out of memory or descriptors");
  if (auto wrong = configure(own.context.get(), settings); !wrong.empty())
    return fail(errc::unavailable, "the DNS resolver can't use " + wrong);
  own.thread = std::thread([state = made->state_.get()] { state->run(); });
  return made;
}

void unbound_client::ask(std::uint64_t id, std::string name, record_type type) {
  state::question made;
  made.id = id;
  made.name = std::move(name);
  made.type = type;
  state_->put(std::move(made));
}

void unbound_client::cancel(std::uint64_t id) {
  state::question made;
  made.id = id;
  made.cancelled = true;
  state_->put(std::move(made));
}

} // namespace merpati::dns
